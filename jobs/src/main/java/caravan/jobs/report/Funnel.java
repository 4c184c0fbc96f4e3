package caravan.jobs.report;

import java.util.List;

/** From all documents to those that stay, one bar for what each reason takes, in SVG. */
final class Funnel {
  private static final int WIDTH = 960;
  private static final int LEFT = 250;
  private static final int RIGHT = 150;
  private static final int ROW = 24;

  /**
   * @param documents that this reason took
   */
  record Step(String name, long documents) {}

  private Funnel() {}

  static String svg(long all, List<Step> steps) {
    Svg svg = new Svg(WIDTH, (steps.size() + 2) * ROW + 4);
    row(svg, 0, "read", "bar", 0, all, all);
    long left = all;
    for (int i = 0; i < steps.size(); i++) {
      long taken = steps.get(i).documents();
      left -= taken;
      row(svg, i + 1, steps.get(i).name(), "gone", left, taken, all);
    }
    row(svg, steps.size() + 1, "kept", "kept", 0, left, all);
    return svg.picture("documents read, dropped and kept");
  }

  private static void row(
      Svg svg, int number, String name, String css, long start, long documents, long all) {
    double scale = all == 0 ? 0 : (double) (WIDTH - LEFT - RIGHT) / all;
    double y = number * ROW + 4.0;
    double x = LEFT + start * scale;
    double width = Math.max(documents * scale, documents > 0 ? 1.5 : 0);
    svg.text("end", LEFT - 10, y + 13, name);
    svg.line("grid", LEFT, y + ROW - 3, WIDTH - RIGHT, y + ROW - 3);
    svg.rectangle(css, x, y, width, ROW - 6);
    svg.text("end", WIDTH - RIGHT + 78, y + 13, StageSections.number(documents));
    svg.text("end", WIDTH - 4, y + 13, StageSections.percent(documents, all));
  }
}
