package caravan.pipeline.read;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jsoup.select.NodeTraversor;
import org.jsoup.select.NodeVisitor;

/**
 * The main content of a web page as plain text. Scripts, navigation, forms and what a class name
 * calls boilerplate go; then the smallest element that holds most of the text outside of links is
 * the content; inside it, blocks that are mostly links go. Only lengths are compared, no words, so
 * that Chinese pages and Javadoc work as English articles do.
 */
final class HtmlExtractor {
  private static final String NEVER_CONTENT =
      "script, style, noscript, template, iframe, svg, canvas, object, nav, footer, aside, form,"
          + " button, select, input, textarea, [hidden], [aria-hidden=true], [role=navigation],"
          + " [role=banner], [role=contentinfo], [role=search], [role=complementary]";

  /** Whole names or parts between hyphens, underscores and capitals. */
  private static final Pattern BOILERPLATE =
      Pattern.compile(
          "(?:^|[\\s_-])(?:nav|navbar|navigation|menu|sidebar|breadcrumbs?|footer|comments?|share|"
              + "social|adverts?|ads?|banner|cookie|popup|related|pagination|pager|skip|skiplink|"
              + "toolbar|topnav|bottomnav|subnav|navlist)(?:$|[\\s_-])",
          Pattern.CASE_INSENSITIVE);

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
  private static final List<String> LINK_BLOCKS =
      List.of("ul", "ol", "dl", "table", "div", "p", "section", "li", "dd");

  /** Share of the text outside of links that the content's element holds. */
  private static final double MOST = 0.8;

  /** Share of a block's text in links from which on it is a list of links. */
  private static final double MOSTLY_LINKS = 0.6;

  /**
   * @param title of the page, empty when it has none
   * @param text of its main content, blocks on lines of their own
   */
  record Page(String title, String text) {}

  private HtmlExtractor() {}

  static Page extract(String html) {
    Document page = Jsoup.parse(html);
    String title = page.title();
    Element body = page.body();
    body.select(NEVER_CONTENT).remove();
    Lengths lengths = new Lengths(body);
    int all = lengths.outsideLinks(body);
    removeBoilerplate(body, lengths, all);
    lengths = new Lengths(body);
    Element content = mainContent(body, lengths);
    for (Element block : content.select(String.join(", ", LINK_BLOCKS))) {
      if (block != content && lengths.linkShare(block) >= MOSTLY_LINKS) {
        block.remove();
      }
    }
    return new Page(title, text(content));
  }

  /** Removes what its class or id calls boilerplate, unless it holds most of the page. */
  private static void removeBoilerplate(Element body, Lengths lengths, int all) {
    for (Element element : body.select("[class], [id]")) {
      String names =
          (element.className() + " " + element.id()).replaceAll("([a-z])([A-Z])", "$1-$2");
      if (element != body
          && BOILERPLATE.matcher(names).find()
          && lengths.outsideLinks(element) < MOST * all) {
        element.remove();
      }
    }
  }

  private static Element mainContent(Element body, Lengths lengths) {
    double most = MOST * lengths.outsideLinks(body);
    Element content = body;
    for (Element next = body; next != null; ) {
      content = next;
      next = null;
      for (Element child : content.children()) {
        if (lengths.outsideLinks(child) >= most && !child.nameIs("p") && most > 0) {
          next = child;
        }
      }
    }
    return content;
  }

  /** Characters of text below each element, white space aside, counted once for the page. */
  private static final class Lengths {
    private final Map<Element, int[]> lengths = new HashMap<>();

    Lengths(Element root) {
      NodeTraversor.traverse(
          new NodeVisitor() {
            private int links;
            private int outside;
            private int inside;
            private final java.util.ArrayDeque<int[]> starts = new java.util.ArrayDeque<>();

            @Override
            public void head(Node node, int depth) {
              if (node instanceof TextNode text) {
                int length = text.text().replaceAll("\\s+", "").length();
                outside += links == 0 ? length : 0;
                inside += links == 0 ? 0 : length;
              } else if (node instanceof Element element) {
                links += element.nameIs("a") ? 1 : 0;
                starts.push(new int[] {outside, inside});
              }
            }

            @Override
            public void tail(Node node, int depth) {
              if (node instanceof Element element) {
                int[] start = starts.pop();
                lengths.put(element, new int[] {outside - start[0], inside - start[1]});
                links -= element.nameIs("a") ? 1 : 0;
              }
            }
          },
          root);
    }

    int outsideLinks(Element element) {
      return lengths.get(element)[0];
    }

    double linkShare(Element element) {
      int[] length = lengths.get(element);
      return length[1] == 0 ? 0 : (double) length[1] / (length[0] + length[1]);
    }
  }

  private static String text(Element content) {
    StringBuilder out = new StringBuilder();
    NodeTraversor.traverse(
        new NodeVisitor() {
          private int preformatted;

          @Override
          public void head(Node node, int depth) {
            if (node instanceof TextNode text) {
              append(out, preformatted > 0 ? text.getWholeText() : text.text(), preformatted > 0);
            } else if (node instanceof Element element) {
              separate(out, element);
              preformatted += element.nameIs("pre") ? 1 : 0;
            }
          }

          @Override
          public void tail(Node node, int depth) {
            if (node instanceof Element element) {
              preformatted -= element.nameIs("pre") ? 1 : 0;
              separate(out, element);
            }
          }
        },
        content);
    return out.toString().strip();
  }

  private static void append(StringBuilder out, String text, boolean preformatted) {
    boolean atStart = out.length() == 0 || Character.isWhitespace(out.charAt(out.length() - 1));
    out.append(!preformatted && atStart ? text.stripLeading() : text);
  }

  private static void separate(StringBuilder out, Element element) {
    String name = element.normalName();
    if (PARAGRAPHS.contains(name)) {
      breakLine(out, 2);
    } else if (LINES.contains(name)) {
      breakLine(out, 1);
    } else if (name.equals("td") || name.equals("th")) {
      append(out, " ", false);
    }
  }

  private static void breakLine(StringBuilder out, int lines) {
    int end = out.length();
    while (end > 0 && out.charAt(end - 1) == ' ') {
      end--;
    }
    out.setLength(end);
    int breaks = 0;
    while (breaks < end && out.charAt(end - 1 - breaks) == '\n') {
      breaks++;
    }
    for (; end > 0 && breaks < lines; breaks++) {
      out.append('\n');
    }
  }
}
