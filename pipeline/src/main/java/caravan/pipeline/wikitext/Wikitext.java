package caravan.pipeline.wikitext;

import caravan.pipeline.wikitext.Span.Kind;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The running text of a wiki page: without templates, tables, references, pictures and categories,
 * with the labels of its links, each heading, list item and paragraph on a line of its own.
 * Formulas stay as TeX between dollar signs.
 *
 * @param text plain text
 * @param disambiguation whether the page only tells meanings of its title apart
 */
public record Wikitext(String text, boolean disambiguation) {
  private static final Set<String> DISAMBIGUATIONS =
      Set.of(
          "dab",
          "disamb",
          "disam",
          "hndis",
          "geodis",
          "numberdis",
          "schooldis",
          "hospitaldis",
          "roaddis",
          "mathdab",
          "letter-number combination disambiguation",
          "surname",
          "given name",
          "消歧义",
          "消歧義",
          "消含糊",
          "歧义",
          "歧義",
          "多义",
          "多義");

  private static final Pattern DISAMBIGUATION =
      Pattern.compile("^(?:.{0,40} )?disambig(?:uation)?(?: page)?$|.{0,20}消歧[义義](?:页|頁)?$");

  /** Templates that begin or end with these letters disambiguate something else. */
  private static final Pattern NO_DISAMBIGUATION = Pattern.compile("need|link|cleanup|需要|链接|連結");

  /** Converts a page; any text is accepted. Takes time linear in its length. */
  public static Wikitext of(String wikitext, WikitextConfig config) {
    List<Span> spans = Spans.find(wikitext, !config.variant().isEmpty());
    String text = new Renderer(wikitext, spans, config).render();
    return new Wikitext(text, isDisambiguation(wikitext, spans));
  }

  private static boolean isDisambiguation(String wikitext, List<Span> spans) {
    for (Span span : spans) {
      if (span.kind() == Kind.TEMPLATE) {
        String name = Templates.name(wikitext, span.contentStart(), span.contentEnd());
        if (DISAMBIGUATIONS.contains(name)
            || (DISAMBIGUATION.matcher(name).find() && !NO_DISAMBIGUATION.matcher(name).find())) {
          return true;
        }
      }
    }
    return wikitext.contains("__DISAMBIG__");
  }
}
