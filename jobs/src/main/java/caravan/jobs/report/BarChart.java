package caravan.jobs.report;

import java.util.List;
import java.util.Locale;

/** Named quantities as horizontal bars in SVG. */
final class BarChart {
  private static final int WIDTH = 860;
  private static final int LEFT = 240;
  private static final int RIGHT = 110;
  private static final int ROW = 22;

  /**
   * @param name what is counted
   * @param value at least 0
   */
  record Bar(String name, long value) {}

  private BarChart() {}

  static String svg(String title, List<Bar> bars) {
    long most = bars.stream().mapToLong(Bar::value).max().orElse(0);
    Svg svg = new Svg(WIDTH, Math.max(1, bars.size()) * ROW + 4);
    for (int i = 0; i < bars.size(); i++) {
      Bar bar = bars.get(i);
      double y = i * ROW + 4.0;
      double length = most == 0 ? 0 : (double) bar.value() / most * (WIDTH - LEFT - RIGHT);
      svg.text("end", LEFT - 8, y + 13, bar.name());
      svg.rectangle("bar", LEFT, y, Math.max(length, bar.value() > 0 ? 1 : 0), ROW - 6);
      svg.text("start", LEFT + length + 6, y + 13, String.format(Locale.ROOT, "%,d", bar.value()));
    }
    return svg.picture(title);
  }
}
