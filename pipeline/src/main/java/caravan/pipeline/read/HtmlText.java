package caravan.pipeline.read;

import java.util.Set;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jsoup.select.NodeVisitor;

/**
 * Writes a page's elements as lines: paragraphs, headings, lists and tables apart by a blank line,
 * items and rows on lines of their own, the cells of a row by a blank, preformatted text as it is.
 * A line break of the source between two Chinese characters is none of the text (CSS Text Level 3,
 * section 4.1.3).
 */
final class HtmlText implements NodeVisitor {
  private static final Set<String> PARAGRAPHS =
      Set.of(
          "p",
          "h1",
          "h2",
          "h3",
          "h4",
          "h5",
          "h6",
          "pre",
          "blockquote",
          "table",
          "ul",
          "ol",
          "dl",
          "figure",
          "hr");
  private static final Set<String> LINES =
      Set.of(
          "div",
          "section",
          "article",
          "main",
          "header",
          "li",
          "dt",
          "dd",
          "tr",
          "br",
          "caption",
          "figcaption",
          "address",
          "details",
          "summary",
          "center",
          "body",
          "thead",
          "tbody");

  private final StringBuilder out = new StringBuilder();
  private int preformatted;

  @Override
  public void head(Node node, int depth) {
    if (node instanceof TextNode text) {
      if (preformatted > 0) {
        out.append(text.getWholeText());
      } else {
        flow(text.getWholeText());
      }
    } else if (node instanceof Element element) {
      separate(element);
      preformatted += element.nameIs("pre") ? 1 : 0;
    }
  }

  @Override
  public void tail(Node node, int depth) {
    if (node instanceof Element element) {
      preformatted -= element.nameIs("pre") ? 1 : 0;
      separate(element);
    }
  }

  String text() {
    return out.toString().strip();
  }

  /** White space runs become one blank, at a line's start none, between Chinese lines none. */
  private void flow(String text) {
    for (int i = 0; i < text.length(); ) {
      char c = text.charAt(i);
      if (!isSpace(c)) {
        out.append(c);
        i++;
        continue;
      }
      boolean lineBreak = false;
      for (; i < text.length() && isSpace(text.charAt(i)); i++) {
        lineBreak |= text.charAt(i) == '\n';
      }
      int end = out.length();
      boolean chineseLines =
          lineBreak
              && end > 0
              && i < text.length()
              && isChinese(out.charAt(end - 1))
              && isChinese(text.charAt(i));
      if (end > 0 && !isSpace(out.charAt(end - 1)) && !chineseLines) {
        out.append(' ');
      }
    }
  }

  private static boolean isSpace(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\u00A0';
  }

  /** Han characters of the basic plane, and full-width punctuation. */
  private static boolean isChinese(char c) {
    return (c >= '\u2E80' && c <= '\u9FFF')
        || (c >= '\uF900' && c <= '\uFAFF')
        || (c >= '\uFF00' && c <= '\uFF60');
  }

  private void separate(Element element) {
    String name = element.normalName();
    if (PARAGRAPHS.contains(name)) {
      breakLine(2);
    } else if (LINES.contains(name)) {
      breakLine(1);
    } else if (name.equals("td") || name.equals("th")) {
      flow(" ");
    }
  }

  private void breakLine(int lines) {
    int end = out.length();
    while (end > 0 && out.charAt(end - 1) == ' ') {
      end--;
    }
    out.setLength(end);
    int breaks = 0;
    while (breaks < Math.min(end, 2) && out.charAt(end - 1 - breaks) == '\n') {
      breaks++;
    }
    for (; end > 0 && breaks < lines; breaks++) {
      out.append('\n');
    }
  }
}
