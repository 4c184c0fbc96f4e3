package caravan.jobs.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.DoubleStream;

/** Curves over a common x axis as SVG, with horizontal reference lines. */
final class LineChart {
  private static final int COLORS = 8;
  private static final int LEFT = 62;
  private static final int RIGHT = 170;
  private static final int TOP = 14;
  private static final int BOTTOM = 44;
  private static final int MAX_POINTS = 1000;

  /** One curve, or a level when it has no x. */
  private record Curve(String name, double[] x, double[] y) {
    boolean isLevel() {
      return x.length == 0;
    }

    double last() {
      return y[y.length - 1];
    }
  }

  private final int width;
  private final int height;
  private final String xLabel;
  private final String yLabel;
  private final List<Curve> curves = new ArrayList<>();

  /** A chart as wide as the page. */
  LineChart(String xLabel, String yLabel) {
    this(xLabel, yLabel, 860, 360);
  }

  /** One of two that stand side by side. */
  static LineChart small(String xLabel, String yLabel) {
    return new LineChart(xLabel, yLabel, 560, 230);
  }

  private LineChart(String xLabel, String yLabel, int width, int height) {
    this.xLabel = xLabel;
    this.yLabel = yLabel;
    this.width = width;
    this.height = height;
  }

  boolean isEmpty() {
    return curves.isEmpty();
  }

  /** Adds a curve; curves without a point are left out of the picture. */
  LineChart curve(String name, double[] x, double[] y) {
    if (x.length != y.length) {
      throw new IllegalArgumentException(
          "curve %s: got %d x and %d y values".formatted(name, x.length, y.length));
    }
    if (x.length > 0) {
      curves.add(new Curve(name, x, y));
    }
    return this;
  }

  /** Adds a horizontal line over the whole width. */
  LineChart level(String name, double y) {
    curves.add(new Curve(name, new double[0], new double[] {y}));
    return this;
  }

  String svg() {
    Axis x = Axis.over(all(true), LEFT, width - RIGHT);
    Axis y = Axis.over(all(false), height - BOTTOM, TOP);
    Svg svg = new Svg(width, height);
    for (double tick : y.ticks()) {
      svg.line("grid", LEFT, y.at(tick), width - RIGHT, y.at(tick));
      svg.text("end", LEFT - 8, y.at(tick) + 4, Axis.label(tick));
    }
    for (double tick : x.ticks()) {
      svg.line("grid", x.at(tick), height - BOTTOM, x.at(tick), height - BOTTOM + 5);
      svg.text("middle", x.at(tick), height - BOTTOM + 18, Axis.label(tick));
    }
    svg.text("middle", (LEFT + width - RIGHT) / 2.0, height - 6, xLabel);
    svg.text("start", LEFT, TOP - 2, yLabel);
    double[] labels = labelHeights(y);
    for (int i = 0; i < curves.size(); i++) {
      draw(svg, curves.get(i), "curve c" + i % COLORS, x, y, labels[i]);
    }
    return svg.picture(yLabel + " by " + xLabel);
  }

  private void draw(Svg svg, Curve curve, String css, Axis x, Axis y, double label) {
    if (curve.isLevel()) {
      svg.line(css + " level", LEFT, y.at(curve.last()), width - RIGHT, y.at(curve.last()));
    } else {
      StringBuilder points = new StringBuilder();
      int stride = Math.max(1, curve.x.length / MAX_POINTS);
      for (int i = 0; i < curve.x.length - 1; i += stride) {
        points.append(String.format(Locale.ROOT, "%.1f,%.1f ", x.at(curve.x[i]), y.at(curve.y[i])));
      }
      int end = curve.x.length - 1;
      points.append(
          String.format(Locale.ROOT, "%.1f,%.1f", x.at(curve.x[end]), y.at(curve.y[end])));
      svg.path(css, points.toString());
    }
    svg.line(css + " key", width - RIGHT + 8, label - 4, width - RIGHT + 24, label - 4);
    svg.text("start", width - RIGHT + 29, label, (curve.name + " " + value(curve.last())).strip());
  }

  private static String value(double last) {
    double size = Math.abs(last);
    String format = size >= 1000 ? "%,.0f" : size == 0 || size >= 0.01 ? "%.3f" : "%.2g";
    return String.format(Locale.ROOT, format, last);
  }

  /** Each curve's name stands beside its end, pushed down where two would overlap. */
  private double[] labelHeights(Axis y) {
    double[] heights = new double[curves.size()];
    List<Integer> fromTop = new ArrayList<>();
    for (int i = 0; i < heights.length; i++) {
      fromTop.add(i);
    }
    fromTop.sort(java.util.Comparator.comparingDouble(i -> y.at(curves.get(i).last())));
    double free = 0;
    for (int i : fromTop) {
      heights[i] = Math.max(free, y.at(curves.get(i).last()) + 4);
      free = heights[i] + 16;
    }
    return heights;
  }

  private double[] all(boolean x) {
    return curves.stream()
        .flatMapToDouble(curve -> DoubleStream.of(x ? curve.x : curve.y))
        .filter(Double::isFinite)
        .toArray();
  }

  /** A linear scale with round tick values. */
  record Axis(double from, double to, double step, double start, double end) {
    static Axis over(double[] values, double start, double end) {
      OptionalDouble smallest = DoubleStream.of(values).min();
      double low = smallest.orElse(0);
      double high = DoubleStream.of(values).max().orElse(1);
      if (high - low < 1e-9) {
        high = low + 1;
      }
      double raw = (high - low) / 5;
      double power = Math.pow(10, Math.floor(Math.log10(raw)));
      double digit = raw / power;
      double step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
      return new Axis(
          Math.floor(low / step) * step, Math.ceil(high / step) * step, step, start, end);
    }

    double at(double value) {
      return start + (value - from) / (to - from) * (end - start);
    }

    double[] ticks() {
      int count = (int) Math.round((to - from) / step);
      return java.util.stream.IntStream.rangeClosed(0, count)
          .mapToDouble(i -> from + i * step)
          .toArray();
    }

    static String label(double value) {
      return Math.abs(value - Math.rint(value)) < 1e-9
          ? String.format(Locale.ROOT, "%,d", Math.round(value))
          : String.format(Locale.ROOT, "%.4g", value).replaceAll("(\\.\\d*?)0+$", "$1");
    }
  }
}
