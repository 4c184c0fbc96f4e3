package caravan.pipeline.clean;

import caravan.pipeline.text.FineWebQualityFilter;
import caravan.pipeline.text.GopherQualityFilter;
import caravan.pipeline.text.GopherRepetitionFilter;
import caravan.pipeline.text.LengthFilter;
import caravan.pipeline.text.PageLines;
import caravan.pipeline.text.Rule;
import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The rules for documents of one language, each with the thresholds of that language.
 *
 * @param filters names of the rules that apply, in this order: edits change what later rules see,
 *     and the first filter that drops a document gives its reason. A name may come twice.
 */
public record LanguageRules(
    List<String> filters,
    PageLines pageLines,
    LengthFilter length,
    GopherQualityFilter gopherQuality,
    GopherRepetitionFilter gopherRepetition,
    FineWebQualityFilter finewebQuality)
    implements Serializable {

  /** A rule under its name in the configuration. */
  record Named(String name, Rule rule) implements Serializable {}

  public LanguageRules {
    filters = List.copyOf(filters);
  }

  /**
   * The rules that apply, in order.
   *
   * @throws IllegalArgumentException for a name that is no rule
   */
  List<Named> chain() {
    Map<String, Rule> rules = rules();
    return filters.stream().map(name -> new Named(name, named(name, rules))).toList();
  }

  private Map<String, Rule> rules() {
    Map<String, Rule> rules = new LinkedHashMap<>();
    rules.put("page-lines", pageLines);
    rules.put("length", length);
    rules.put("gopher-quality", gopherQuality);
    rules.put("gopher-repetition", gopherRepetition);
    rules.put("fineweb-quality", finewebQuality);
    return rules;
  }

  private static Rule named(String name, Map<String, Rule> rules) {
    Rule rule = rules.get(name);
    if (rule == null) {
      throw new IllegalArgumentException(
          "clean filters: got %s, wanted one or more of %s"
              .formatted(name, String.join(", ", rules.keySet())));
    }
    return rule;
  }
}
