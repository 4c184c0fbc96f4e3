package caravan.jobs.report;

import java.util.List;
import java.util.Locale;

/** An HTML page that needs nothing but itself: styles and pictures are inside. */
final class Page {
  private static final String STYLE =
      """
      :root { --ink: #1d2430; --soft: #667085; --line: #d9dee7; --paper: #ffffff; --c0: #9db4d6; --c1: #b8400e; --c2: #1a7f5a; --c3: #7a4fb5; --bar: #4a78b5; }
      @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #333b48; --paper: #161a21; --c0: #54709b; --c1: #f08a4b; --c2: #4cc495; --c3: #b794f4; --bar: #6f9bd8; } }
      body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
      h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
      p.soft, figcaption { color: var(--soft); } figure { margin: 1rem 0; }
      table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
      th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
      th { font-weight: 600; } td.number, th.number { text-align: right; }
      blockquote { margin: .5rem 0; padding: .5rem 1rem; border-left: 3px solid var(--c2); white-space: pre-wrap; overflow-wrap: anywhere; }
      blockquote b { font-weight: 600; }
      svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); }
      .grid { stroke: var(--line); } .curve { fill: none; stroke-width: 2; } .level { stroke-dasharray: 6 4; } .bar { fill: var(--bar); }
      .c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
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
      boolean number = !rows.isEmpty() && rows.get(0).get(i) instanceof Number;
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
    return "<td>" + escaped(value.toString()) + "</td>";
  }

  private Page add(String html) {
    body.append(html).append('\n');
    return this;
  }
}
