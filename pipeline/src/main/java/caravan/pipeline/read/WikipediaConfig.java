package caravan.pipeline.read;

import caravan.pipeline.wikitext.WikitextConfig;
import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * How MediaWiki's XML dumps become documents: section {@code read.wikipedia} of reference.conf.
 *
 * @param redirects whether pages that only lead to another are documents
 * @param disambiguations whether pages that only tell meanings of a title apart are documents
 * @param variant see {@link WikitextConfig}
 * @param templates see {@link WikitextConfig}
 * @param dropSections see {@link WikitextConfig}
 */
public record WikipediaConfig(
    boolean redirects,
    boolean disambiguations,
    String variant,
    Map<String, String> templates,
    List<String> dropSections)
    implements Serializable {
  public WikipediaConfig {
    new WikitextConfig(variant, templates, dropSections);
  }

  /** What concerns the text of a page. */
  WikitextConfig wikitext() {
    return new WikitextConfig(variant, templates, dropSections);
  }
}
