package caravan.jobs.report;

import java.util.List;
import java.util.Locale;

/** An HTML page that needs nothing but itself: styles and pictures are inside. */
final class Page {
  private static final String STYLE =
      """
      :root { --ink: #1d2430; --soft: #667085; --line: #d9dee7; --paper: #ffffff; --c0: #9db4d6; --c1: #b8400e; --c2: #1a7f5a; --c3: #7a4fb5; --bar: #4a78b5; --kept: #2f8f6b; --gone: #d9752f; --pale: #f6f8fb; }
      body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; color: var(--ink); background: var(--paper); max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
      h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
      p.soft, figcaption { color: var(--soft); } figure { margin: 1rem 0; }
      table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
      th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
      th { font-weight: 600; } td.number, th.number { text-align: right; }
      blockquote { margin: .5rem 0; padding: .5rem 1rem; border-left: 3px solid var(--c2); white-space: pre-wrap; overflow-wrap: anywhere; }
      blockquote b { font-weight: 600; }
      svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); }
      .grid { stroke: var(--line); } .curve { fill: none; stroke-width: 2; } .level { stroke-dasharray: 6 4; } .bar { fill: var(--bar); }
      .kept { fill: var(--kept); } .gone { fill: var(--gone); } .beyond { fill: var(--gone); opacity: .09; } .axis { stroke: var(--soft); } .limit { stroke: var(--c1); stroke-width: 1.5; stroke-dasharray: 4 3; }
      .tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0; }
      .tile { flex: 1 1 8rem; background: var(--pale); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; }
      .tile b { display: block; font-size: 1.35rem; line-height: 1.3; font-variant-numeric: tabular-nums; } .tile span { color: var(--soft); font-size: .85rem; }
      .share { display: flex; width: 11rem; height: .9rem; border-radius: .2rem; overflow: hidden; background: var(--line); margin-top: .3rem; }
      .share i { display: block; background: var(--kept); } .share i + i { background: var(--gone); }
      .panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem 1.5rem; } .panels figure { margin: 0; } .panels h4 { margin: 0; font-size: .9rem; } .panels figcaption { font-size: .8rem; line-height: 1.35; }
      .change, .text { margin: .4rem 0; padding: .5rem .8rem; background: var(--pale); border: 1px solid var(--line); border-radius: .4rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .92rem; }
      .change del { background: #fbd9cf; color: #8a2a0b; text-decoration: line-through; border-radius: .15rem; } .change ins { background: #cdeedd; color: #0d5a3b; text-decoration: none; border-radius: .15rem; }
      .label { margin: .9rem 0 0; font-size: .85rem; color: var(--soft); overflow-wrap: anywhere; } .label b { color: var(--ink); }
      h3 { margin: 1.6rem 0 .4rem; } details { margin: 1rem 0; } summary { cursor: pointer; color: var(--soft); }
      .key i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem; margin: 0 .3rem 0 .9rem; vertical-align: -.05rem; } td.detail { font-size: .85rem; color: var(--soft); }
      .c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); } .c4 { stroke: #c79a1b; } .c5 { stroke: #2b6cb0; } .c6 { stroke: #b83280; } .c7 { stroke: #5b6472; }
      .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: .5rem 1.5rem; } .pair figure { margin: .5rem 0; }
      """;

  private final StringBuilder body = new StringBuilder();
  private final String title;

  Page(String title) {
    this.title = title;
    body.append("<h1>").append(escaped(title)).append("</h1>\n");
  }

  Page section(String heading) {
    return add("<h2>" + escaped(heading) + "</h2>");
  }

  Page paragraph(String text) {
    return add("<p>" + escaped(text) + "</p>");
  }

  Page note(String text) {
    return add("<p class=\"soft\">" + escaped(text) + "</p>");
  }

  /**
   * @param svg a picture
   * @param caption what it shows
   */
  Page figure(String svg, String caption) {
    return add("<figure>" + svg + "<figcaption>" + escaped(caption) + "</figcaption></figure>");
  }

  /** A table; numbers are set to the right. */
  Page table(List<String> header, List<List<Object>> rows) {
    StringBuilder table = new StringBuilder("<table><thead><tr>");
    for (int i = 0; i < header.size(); i++) {
      boolean number = !rows.isEmpty() && isNumber(rows.get(0).get(i));
      table
          .append(number ? "<th class=\"number\">" : "<th>")
          .append(escaped(header.get(i)))
          .append("</th>");
    }
    table.append("</tr></thead><tbody>\n");
    for (List<Object> row : rows) {
      table.append("<tr>");
      row.forEach(value -> table.append(cell(value)));
      table.append("</tr>\n");
    }
    return add(table.append("</tbody></table>").toString());
  }

  /** A prompt and what a model wrote after it. */
  Page sample(String prompt, String continuation) {
    return add(
        "<blockquote><b>" + escaped(prompt) + "</b>" + escaped(continuation) + "</blockquote>");
  }

  String html() {
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        + "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>"
        + escaped(title)
        + "</title>\n<style>\n"
        + STYLE
        + "</style></head><body>\n"
        + body
        + "</body></html>\n";
  }

  static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  private static String cell(Object value) {
    if (value instanceof Double number) {
      return "<td class=\"number\">" + String.format(Locale.ROOT, "%,.4g", number) + "</td>";
    }
    if (value instanceof Number number) {
      return "<td class=\"number\">"
          + String.format(Locale.ROOT, "%,d", number.longValue())
          + "</td>";
    }
    String css = isNumber(value) ? "<td class=\"number\">" : "<td>";
    return css + escaped(value.toString()) + "</td>";
  }

  private static boolean isNumber(Object value) {
    return value instanceof Number || value.toString().endsWith(" %");
  }

  /** What {@link #html} shows at this place; all text in it is escaped already. */
  Page add(String html) {
    body.append(html).append('\n');
    return this;
  }
}
