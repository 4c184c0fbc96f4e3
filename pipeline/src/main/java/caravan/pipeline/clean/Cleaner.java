package caravan.pipeline.clean;

import caravan.pipeline.Document;
import caravan.pipeline.text.ChineseConverter;
import caravan.pipeline.text.Drop;
import caravan.pipeline.text.Judge;
import caravan.pipeline.text.LanguageDetector;
import caravan.pipeline.text.Passage;
import caravan.pipeline.text.PiiMasker;
import caravan.pipeline.text.TextEdit;
import caravan.pipeline.text.TextFilter;
import caravan.pipeline.text.TextNormalizer;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** What the clean stage does to one document; no Spark. */
public final class Cleaner implements Serializable {

  /**
   * @param document when it is kept, edited and masked; when it is dropped, normalized and
   *     otherwise whole
   * @param drop why it goes, empty when it stays
   * @param edits code points that edits took away, per edit reason
   */
  public record Cleaned(Document document, Optional<Drop> drop, Map<String, Long> edits) {}

  /** Key in {@link Document#meta}: {@code Hant} or {@code Hans}. */
  public static final String SCRIPT = "script";

  private static final Set<String> LABELS =
      Set.of(ChineseConverter.TRADITIONAL, ChineseConverter.SIMPLIFIED);

  private final CleanConfig config;
  private final TextNormalizer normalizer;
  private final LanguageDetector detector = new LanguageDetector();
  private final ChineseConverter converter;
  private final PiiMasker masker;
  private final Map<String, List<LanguageRules.Named>> rules = new HashMap<>();

  /** A document as the rules of its language get it. */
  public record Ready(String language, Passage passage) {}

  /** For settings that name no list files and learn nothing. */
  public Cleaner(CleanConfig config) {
    this(config, ListFiles.NONE, Learned.NOTHING);
  }

  /**
   * @param files what {@link ListFiles#read} found for these settings
   * @param learned rules that were learned for these settings
   */
  public Cleaner(CleanConfig config, ListFiles files, Learned learned) {
    this.config = config;
    this.normalizer = new TextNormalizer(config.normalize());
    this.converter = new ChineseConverter(config.chinese());
    this.masker = new PiiMasker(config.maskPii());
    for (String language : config.keepLanguages()) {
      rules.put(language, config.rules(language).chain(files, learned.rules(language)));
    }
  }

  public Cleaned clean(Document document) {
    return new Cleaning(document, null).run();
  }

  /** For those who learn rules from a corpus: what the rules will see. */
  public Ready ready(Document document) {
    Passage passage = passage(document, normalizer.normalize(document.text()).text());
    String language = detector.detect(passage.text());
    return language.equals(LanguageDetector.CHINESE)
        ? new Ready(language, passage.withText(converter.convert(passage.text()).text()))
        : new Ready(language, passage);
  }

  private Passage passage(Document document, String text) {
    String site = config.boilerplate().enabled() ? config.boilerplate().site(document) : "";
    return Passage.of(text, document.meta(), site);
  }

  /** The same with everything that happened on the way. */
  public Story explain(Document document) {
    List<Story.Step> steps = new ArrayList<>();
    Cleaned outcome = new Cleaning(document, steps).run();
    return new Story(outcome.document().language(), List.copyOf(steps), outcome);
  }

  /** One document on its way through the rules. */
  private final class Cleaning {
    private final Document document;

    /** Where to write down what happens; null: nobody wants to know, the first drop ends it. */
    private final List<Story.Step> steps;

    private final Map<String, Long> edits = new TreeMap<>();
    private Optional<Drop> drop = Optional.empty();

    /** What rules have said of the document up to the one that dropped it. */
    private Map<String, String> labels = Map.of();

    Cleaning(Document document, List<Story.Step> steps) {
      this.document = document;
      this.steps = steps;
    }

    Cleaned run() {
      TextNormalizer.Normalized normalized = normalizer.normalize(document.text());
      edited("normalize", document.text(), normalized.text(), normalized.removed());
      Map<String, Long> normalizing = Map.copyOf(edits);
      Passage passage = passage(document, normalized.text());
      String language = detector.detect(passage.text());
      Document whole = labelled(document.withText(normalized.text()).withLanguage(language));
      String text = apply(language, simplified(language, passage));
      if (drop.isPresent()) {
        return new Cleaned(withLabels(whole), drop, normalizing);
      }
      PiiMasker.Masked masked = masker.mask(text);
      edited("mask-pii", text, masked.text(), masked.removed());
      return new Cleaned(withLabels(whole.withText(masked.text())), drop, edits);
    }

    private Document withLabels(Document unlabelled) {
      Document labelled = unlabelled;
      for (Map.Entry<String, String> label : labels.entrySet()) {
        labelled = labelled.withMeta(label.getKey(), label.getValue());
      }
      return labelled;
    }

    /** Chinese as the rules get it: they, too, know simplified words best. */
    private Passage simplified(String language, Passage passage) {
      if (!language.equals(LanguageDetector.CHINESE)) {
        return passage;
      }
      TextEdit.Edited edited = converter.convert(passage.text());
      if (!edited.removed().isEmpty()) {
        edited("chinese", passage.text(), edited.text(), edited.removed());
      }
      return passage.withText(edited.text());
    }

    /** What the rules of the language leave of the text. */
    private String apply(String language, Passage whole) {
      List<LanguageRules.Named> chain = rules.get(language);
      if (chain == null) {
        String detail = language + ", kept are " + config.keepLanguages();
        judged("keep-languages", List.of(), Optional.of(new Drop("language", detail)));
        return whole.text();
      }
      Passage passage = whole;
      for (LanguageRules.Named named : chain) {
        boolean open = drop.isEmpty();
        if (named.rule() instanceof TextFilter filter) {
          Judge judge = steps == null ? Judge.quick() : Judge.thorough();
          filter.measure(passage, judge);
          judged(named.name(), judge.measures(), judge.drop());
        } else if (named.rule() instanceof TextEdit edit) {
          TextEdit.Edited edited = edit.edit(passage);
          edited(named.name(), passage.text(), edited.text(), edited.removed());
          passage = passage.withText(edited.text());
        }
        if (open && !passage.labels().isEmpty()) {
          labels = Map.copyOf(passage.labels());
        }
        if (drop.isPresent() && steps == null) {
          break;
        }
      }
      return passage.text();
    }

    private void edited(String rule, String before, String after, Map<String, Long> removed) {
      removed.forEach((reason, characters) -> edits.merge(reason, characters, Long::sum));
      if (steps != null) {
        steps.add(new Story.Edit(rule, before, after, Map.copyOf(removed)));
      }
    }

    private void judged(String rule, List<Judge.Measure> measures, Optional<Drop> verdict) {
      drop = drop.or(() -> verdict);
      if (steps != null) {
        steps.add(new Story.Verdict(rule, measures, verdict));
      }
    }
  }

  /** With the writing of Chinese text; a document that was cleaned before keeps its label. */
  private static Document labelled(Document document) {
    String script = ChineseConverter.script(document.text());
    boolean labelled = LABELS.contains(document.meta().getOrDefault(SCRIPT, ""));
    return script.isEmpty() || labelled || !document.language().equals(LanguageDetector.CHINESE)
        ? document
        : document.withMeta(SCRIPT, script);
  }
}
