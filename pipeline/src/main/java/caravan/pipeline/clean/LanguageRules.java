package caravan.pipeline.clean;

import caravan.pipeline.text.AdvertisingFilter;
import caravan.pipeline.text.C4Lines;
import caravan.pipeline.text.C4ParagraphFilter;
import caravan.pipeline.text.C4QualityFilter;
import caravan.pipeline.text.ChineseQualityFilter;
import caravan.pipeline.text.CitationMarks;
import caravan.pipeline.text.FineWebQualityFilter;
import caravan.pipeline.text.GopherQualityFilter;
import caravan.pipeline.text.GopherRepetitionFilter;
import caravan.pipeline.text.LanguageLines;
import caravan.pipeline.text.LengthFilter;
import caravan.pipeline.text.PageLines;
import caravan.pipeline.text.Rule;
import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The rules for documents of one language, each with the thresholds of that language.
 *
 * @param filters names of the rules that apply, in this order: edits change what later rules see,
 *     and the first filter that drops a document gives its reason. A name may come twice.
 */
public record LanguageRules(
    List<String> filters,
    LanguageLines languageLines,
    PageLines pageLines,
    CitationMarks citationMarks,
    C4Lines c4Lines,
    Blocklist blocklist,
    LengthFilter length,
    GopherQualityFilter gopherQuality,
    GopherRepetitionFilter gopherRepetition,
    C4QualityFilter c4Quality,
    C4ParagraphFilter c4Paragraphs,
    FineWebQualityFilter finewebQuality,
    ChineseQualityFilter chineseQuality,
    AdvertisingFilter advertising,
    Perplexity perplexity)
    implements Serializable {
  private static final String BLOCKLIST = "blocklist";

  /** A rule under its name in the configuration. */
  record Named(String name, Rule rule) implements Serializable {}

  /**
   * @throws IllegalArgumentException for a name that is no rule
   */
  public LanguageRules {
    filters = List.copyOf(filters);
    Map<String, Supplier<Rule>> known = known(ListFiles.NONE, Map.of());
    for (String name : filters) {
      if (!known.containsKey(name)) {
        throw new IllegalArgumentException(
            "clean filters: got %s, wanted one or more of %s"
                .formatted(name, String.join(", ", known.keySet())));
      }
    }
  }

  /** The rules that apply, in order; those that learn only when they have learned something. */
  List<Named> chain(ListFiles files, Map<String, Rule> learned) {
    Map<String, Supplier<Rule>> known = known(files, learned);
    return filters.stream()
        .map(name -> new Named(name, known.get(name).get()))
        .filter(named -> named.rule() != null)
        .toList();
  }

  /** Paths of the files that the rules in use read their lists from. */
  List<String> listFiles() {
    return filters.contains(BLOCKLIST) ? blocklist.files() : List.of();
  }

  /** Whether documents are judged by perplexity: the rule is named and has a reference. */
  public boolean measuresPerplexity() {
    return filters.contains(Perplexity.RULE) && perplexity.inUse();
  }

  private Map<String, Supplier<Rule>> known(ListFiles files, Map<String, Rule> learned) {
    Map<String, Supplier<Rule>> known = new LinkedHashMap<>();
    known.put(Boilerplate.RULE, () -> learned.get(Boilerplate.RULE));
    known.put("language-lines", () -> languageLines);
    known.put("page-lines", () -> pageLines);
    known.put("citation-marks", () -> citationMarks);
    known.put("c4-lines", () -> c4Lines);
    known.put(BLOCKLIST, () -> blocklist.filter(files));
    known.put("length", () -> length);
    known.put("gopher-quality", () -> gopherQuality);
    known.put("gopher-repetition", () -> gopherRepetition);
    known.put("c4-quality", () -> c4Quality);
    known.put("c4-paragraphs", () -> c4Paragraphs);
    known.put("fineweb-quality", () -> finewebQuality);
    known.put("chinese-quality", () -> chineseQuality);
    known.put("advertising", () -> advertising);
    known.put(Perplexity.RULE, () -> learned.get(Perplexity.RULE));
    return known;
  }
}
