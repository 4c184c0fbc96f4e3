package caravan.pipeline.clean;

import caravan.pipeline.text.ChineseConverter;
import caravan.pipeline.text.LanguageDetector;
import caravan.pipeline.text.PiiMasker;
import caravan.pipeline.text.TextNormalizer;
import java.io.Serializable;
import java.util.List;
import java.util.Set;

/**
 * Settings of the clean stage: section {@code clean} of reference.conf, which explains each.
 *
 * @param normalize edits that make texts uniform
 * @param chinese what happens to traditional Chinese
 * @param keepLanguages documents in another language are dropped
 * @param maskPii kinds of personal data to mask
 * @param boilerplate lines that documents of a site share
 * @param zh rules for Chinese documents
 * @param en rules for English documents
 * @param other rules for all others, where {@code keepLanguages} keeps them
 */
public record CleanConfig(
    List<TextNormalizer.Edit> normalize,
    ChineseConverter.Mode chinese,
    List<String> keepLanguages,
    List<PiiMasker.Kind> maskPii,
    Boilerplate boilerplate,
    LanguageRules zh,
    LanguageRules en,
    LanguageRules other)
    implements Serializable {
  private static final Set<String> LANGUAGES =
      Set.of(LanguageDetector.CHINESE, LanguageDetector.ENGLISH, LanguageDetector.OTHER);

  public CleanConfig {
    normalize = List.copyOf(normalize);
    keepLanguages = List.copyOf(keepLanguages);
    maskPii = List.copyOf(maskPii);
    if (keepLanguages.isEmpty() || !LANGUAGES.containsAll(keepLanguages)) {
      throw new IllegalArgumentException(
          "clean.keep-languages: got "
              + keepLanguages
              + ", wanted one or more of zh, en and other");
    }
  }

  /** The rules for a document's language. */
  public LanguageRules rules(String language) {
    return switch (language) {
      case LanguageDetector.CHINESE -> zh;
      case LanguageDetector.ENGLISH -> en;
      default -> other;
    };
  }
}
