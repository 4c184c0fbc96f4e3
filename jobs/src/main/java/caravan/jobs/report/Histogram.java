package caravan.jobs.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/**
 * How often which value was measured, as bars in SVG: kept documents below, dropped ones on top. A
 * limit is a line, and what lies beyond it is shaded.
 */
final class Histogram {
  private static final int BINS = 28;
  private static final int LEFT = 8;
  private static final int TOP = 12;
  private static final int BOTTOM = 20;

  /** Values whose largest is so many times the median are drawn on a logarithmic axis. */
  private static final double SKEWED = 12;

  /**
   * @param value what was measured
   * @param kept whether the document stayed
   * @param weight documents with this value
   */
  record Measured(double value, boolean kept, long weight) {}

  /**
   * @param minimum smallest value that is allowed; empty: any
   * @param maximum largest value that is allowed; empty: any
   */
  record Limits(OptionalDouble minimum, OptionalDouble maximum) {
    static final Limits NONE = new Limits(OptionalDouble.empty(), OptionalDouble.empty());
  }

  private final List<Measured> values;
  private final Limits limits;
  private final int width;
  private final int height;
  private final boolean logarithmic;
  private final double low;
  private final double high;

  /** On a logarithmic axis where the values ask for one. */
  Histogram(List<Measured> values, Limits limits, int width, int height) {
    this(values, limits, width, height, isSkewed(values));
  }

  private Histogram(
      List<Measured> values, Limits limits, int width, int height, boolean logarithmic) {
    this.values = values;
    this.limits = limits;
    this.width = width;
    this.height = height;
    double[] sorted = values.stream().mapToDouble(Measured::value).sorted().toArray();
    double largest = sorted.length == 0 ? 1 : sorted[sorted.length - 1];
    double smallest = sorted.length == 0 ? 0 : sorted[0];
    this.logarithmic = logarithmic && smallest > 0;
    // A limit is in the picture when that does not push the values into a corner.
    double span = Math.max(largest - smallest, 1e-9);
    List<Double> ends = new ArrayList<>(List.of(smallest, largest));
    for (OptionalDouble limit : List.of(limits.minimum(), limits.maximum())) {
      limit.ifPresent(
          at -> {
            boolean near =
                logarithmic
                    ? at > smallest / 10 && at < largest * 10
                    : at > smallest - span && at < largest + span;
            if (near) {
              ends.add(at);
            }
          });
    }
    double first = ends.stream().mapToDouble(d -> d).min().orElse(0);
    double last = ends.stream().mapToDouble(d -> d).max().orElse(1);
    this.low = scaled(first);
    this.high = scaled(last) > low ? scaled(last) : low + 1;
  }

  private static boolean isSkewed(List<Measured> values) {
    double[] sorted = values.stream().mapToDouble(Measured::value).sorted().toArray();
    double largest = sorted.length == 0 ? 0 : sorted[sorted.length - 1];
    return largest >= 10 && largest > SKEWED * sorted[sorted.length / 2];
  }

  /** The same on a logarithmic axis, if every value is above 0. */
  Histogram logarithmic() {
    return new Histogram(values, limits, width, height, true);
  }

  private double scaled(double value) {
    return logarithmic ? Math.log10(value) : value;
  }

  private double x(double value) {
    double inside = Math.max(low, Math.min(high, scaled(value)));
    return LEFT + (inside - low) / (high - low) * (width - 2 * LEFT);
  }

  String svg(String title) {
    long[] kept = new long[BINS];
    long[] dropped = new long[BINS];
    for (Measured m : values) {
      int bin = (int) ((scaled(m.value()) - low) / (high - low) * BINS);
      (m.kept() ? kept : dropped)[Math.max(0, Math.min(BINS - 1, bin))] += m.weight();
    }
    long most = 1;
    for (int i = 0; i < BINS; i++) {
      most = Math.max(most, kept[i] + dropped[i]);
    }
    Svg svg = new Svg(width, height);
    shade(svg);
    double floor = height - BOTTOM;
    double each = (width - 2.0 * LEFT) / BINS;
    for (int i = 0; i < BINS; i++) {
      double keptHeight = kept[i] * (floor - TOP) / most;
      double droppedHeight = dropped[i] * (floor - TOP) / most;
      double left = LEFT + i * each;
      bar(svg, "kept", left, floor, each, keptHeight, kept[i]);
      bar(svg, "gone", left, floor - keptHeight, each, droppedHeight, dropped[i]);
    }
    svg.line("axis", LEFT, floor, width - LEFT, floor);
    svg.text("start", LEFT, height - 5, label(unscaled(low)));
    svg.text("end", width - LEFT, height - 5, label(unscaled(high)));
    if (logarithmic) {
      svg.text("middle", width / 2.0, height - 5, "log");
    }
    lines(svg, floor);
    return svg.picture(title);
  }

  private static void bar(
      Svg svg, String css, double x, double floor, double w, double h, long documents) {
    if (documents > 0) {
      double seen = Math.max(h, 1);
      svg.rectangle(css, x + 0.5, floor - seen, Math.max(w - 1, 1), seen);
    }
  }

  private void shade(Svg svg) {
    double floor = height - BOTTOM;
    limits.minimum().ifPresent(at -> svg.rectangle("beyond", LEFT, TOP, x(at) - LEFT, floor - TOP));
    limits
        .maximum()
        .ifPresent(at -> svg.rectangle("beyond", x(at), TOP, width - LEFT - x(at), floor - TOP));
  }

  private void lines(Svg svg, double floor) {
    for (OptionalDouble limit : List.of(limits.minimum(), limits.maximum())) {
      limit.ifPresent(
          at -> {
            if (scaled(at) >= low && scaled(at) <= high) {
              svg.line("limit", x(at), TOP - 6, x(at), floor);
              boolean right = x(at) > width / 2.0;
              svg.text(right ? "end" : "start", x(at) + (right ? -4 : 4), TOP + 3, label(at));
            }
          });
    }
  }

  private double unscaled(double value) {
    return logarithmic ? Math.pow(10, value) : value;
  }

  /** Short: {@code 0.12}, {@code 45}, {@code 12k}, {@code 3.4M}. */
  static String label(double value) {
    double size = Math.abs(value);
    if (size >= 1e6) {
      return trimmed(value / 1e6) + "M";
    }
    if (size >= 1e4) {
      return trimmed(value / 1e3) + "k";
    }
    return size >= 100 || value == Math.rint(value)
        ? String.format(Locale.ROOT, "%,d", Math.round(value))
        : trimmed(value);
  }

  private static String trimmed(double value) {
    String text = String.format(Locale.ROOT, Math.abs(value) >= 10 ? "%.1f" : "%.3f", value);
    return text.replaceFirst("\\.?0+$", "");
  }
}
