package caravan.pipeline.read;

import java.util.Optional;
import org.jsoup.parser.Parser;

/**
 * A page element of a MediaWiki export (schema 0.3 and later).
 *
 * @param namespace 0: articles
 * @param redirect title of the page it leads to; empty for none
 * @param revision number of the newest revision given; empty when it has none
 * @param timestamp of that revision
 * @param text its wikitext
 */
record WikipediaPage(
    long id,
    String title,
    int namespace,
    String redirect,
    String revision,
    String timestamp,
    String text) {

  /**
   * Reads what {@code <page>} and {@code </page>} enclose. By plain search: exports are written by
   * one program, and its texts hold no markup but escaped.
   *
   * @throws IllegalArgumentException when a part is missing, saying which
   */
  static WikipediaPage parse(String xml) {
    int revisionStart = Math.max(0, xml.lastIndexOf("<revision>"));
    String head = xml.substring(0, revisionStart == 0 ? xml.length() : xml.indexOf("<revision>"));
    String revision = xml.substring(revisionStart);
    String title = element(head, "title").orElseThrow(() -> missing("title"));
    String id = element(head, "id").orElseThrow(() -> missing("id"));
    String namespace = element(head, "ns").orElseThrow(() -> missing("ns"));
    String text = element(revision, "text").orElseThrow(() -> missing("text"));
    return new WikipediaPage(
        number(id, "id"),
        Parser.unescapeEntities(title, false),
        (int) number(namespace, "ns"),
        redirect(head),
        element(revision, "id").orElse(""),
        element(revision, "timestamp").orElse(""),
        Parser.unescapeEntities(text, false));
  }

  private static String redirect(String head) {
    String start = "<redirect title=\"";
    int at = head.indexOf(start);
    int end = at < 0 ? -1 : head.indexOf('"', at + start.length());
    return end < 0 ? "" : Parser.unescapeEntities(head.substring(at + start.length(), end), false);
  }

  /** The content of the first element of this name, as it stands; empty for {@code <name/>}. */
  private static Optional<String> element(String xml, String name) {
    String open = "<" + name;
    int start = xml.indexOf(open);
    while (start >= 0
        && start + open.length() < xml.length()
        && " />".indexOf(xml.charAt(start + open.length())) < 0) {
      start = xml.indexOf(open, start + 1);
    }
    int end = start < 0 ? -1 : xml.indexOf('>', start);
    if (end < 0) {
      return Optional.empty();
    }
    if (xml.charAt(end - 1) == '/') {
      return Optional.of("");
    }
    int close = xml.indexOf("</" + name + ">", end);
    return close < 0 ? Optional.empty() : Optional.of(xml.substring(end + 1, close));
  }

  private static long number(String value, String name) {
    try {
      return Long.parseLong(value.strip());
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "page with %s %s, wanted a number".formatted(name, value), e);
    }
  }

  private static IllegalArgumentException missing(String name) {
    return new IllegalArgumentException("page without %s".formatted(name));
  }
}
