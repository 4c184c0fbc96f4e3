package caravan.pipeline.clean;

import caravan.pipeline.Document;
import caravan.pipeline.text.Drop;
import caravan.pipeline.text.LanguageDetector;
import caravan.pipeline.text.PiiMasker;
import caravan.pipeline.text.TextFilter;
import caravan.pipeline.text.TextNormalizer;
import caravan.pipeline.text.Words;
import java.io.Serializable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What the clean stage does to one document; no Spark. */
public final class Cleaner implements Serializable {

  /**
   * @param document normalized; masked too when it is kept
   * @param drop why it goes, empty when it stays
   * @param edits code points that edits took away, per edit reason
   */
  public record Cleaned(Document document, Optional<Drop> drop, Map<String, Long> edits) {}

  private final CleanConfig config;
  private final TextNormalizer normalizer = new TextNormalizer();
  private final LanguageDetector detector = new LanguageDetector();
  private final PiiMasker masker;
  private final Map<String, List<TextFilter>> filters = new HashMap<>();

  public Cleaner(CleanConfig config) {
    this.config = config;
    this.masker = new PiiMasker(config.maskPii());
    for (String language : config.keepLanguages()) {
      filters.put(language, config.rules(language).chain());
    }
  }

  public Cleaned clean(Document document) {
    TextNormalizer.Normalized normalized = normalizer.normalize(document.text());
    Words words = Words.of(normalized.text());
    String language = detector.detect(words);
    Document clean = document.withText(normalized.text()).withLanguage(language);
    Optional<Drop> drop = drop(language, words);
    if (drop.isPresent()) {
      return new Cleaned(clean, drop, normalized.removed());
    }
    PiiMasker.Masked masked = masker.mask(clean.text());
    Map<String, Long> edits = new TreeMap<>(normalized.removed());
    edits.putAll(masked.removed());
    return new Cleaned(clean.withText(masked.text()), Optional.empty(), edits);
  }

  private Optional<Drop> drop(String language, Words words) {
    List<TextFilter> rules = filters.get(language);
    if (rules == null) {
      String detail = language + ", kept are " + config.keepLanguages();
      return Optional.of(new Drop("language", detail));
    }
    for (TextFilter filter : rules) {
      Optional<Drop> drop = filter.check(words);
      if (drop.isPresent()) {
        return drop;
      }
    }
    return Optional.empty();
  }
}
