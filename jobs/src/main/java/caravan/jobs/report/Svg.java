package caravan.jobs.report;

import java.util.Locale;

/** Pieces of an SVG picture as text; coordinates are in pixels from the upper left corner. */
final class Svg {
  private final StringBuilder body = new StringBuilder();
  private final int width;
  private final int height;

  Svg(int width, int height) {
    this.width = width;
    this.height = height;
  }

  Svg line(String css, double x1, double y1, double x2, double y2) {
    return add(
        "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
        css, x1, y1, x2, y2);
  }

  Svg rectangle(String css, double x, double y, double w, double h) {
    return add(
        "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
        css, x, y, w, h);
  }

  /**
   * @param points "x,y x,y …"
   */
  Svg path(String css, String points) {
    return add("<polyline class=\"%s\" points=\"%s\"/>", css, points);
  }

  /**
   * @param anchor {@code start}, {@code middle} or {@code end}
   */
  Svg text(String anchor, double x, double y, String text) {
    return add(
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
        x, y, anchor, Page.escaped(text));
  }

  private Svg add(String format, Object... values) {
    body.append(String.format(Locale.ROOT, format, values)).append('\n');
    return this;
  }

  /** The whole picture; {@code title} is what screen readers say. */
  String picture(String title) {
    return String.format(
        Locale.ROOT,
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n%s</svg>",
        width,
        height,
        Page.escaped(title),
        body);
  }
}
