package caravan.pipeline.wikitext;

import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * How wikitext becomes plain text: section {@code read.wikipedia} of reference.conf.
 *
 * @param variant of Chinese that {@code -{…}-} is resolved to; empty: such markup is left alone
 * @param templates what remains of a template, by its name in lower case ({@code lang-*}: all names
 *     that begin so): {@code $1} is its first unnamed argument; other templates are left out
 * @param dropSections headings of sections that are left out, with what is below them
 */
public record WikitextConfig(
    String variant, Map<String, String> templates, List<String> dropSections)
    implements Serializable {
  public WikitextConfig {
    if (!variant.isEmpty() && !Variants.isKnown(variant)) {
      throw new IllegalArgumentException(
          "read.wikipedia.variant: got %s, wanted zh-hans, zh-hant, zh-cn, zh-sg, zh-my, zh-tw, zh-hk, zh-mo or nothing"
              .formatted(variant));
    }
  }
}
