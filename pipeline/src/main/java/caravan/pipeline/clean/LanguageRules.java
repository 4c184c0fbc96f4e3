package caravan.pipeline.clean;

import caravan.pipeline.text.FineWebQualityFilter;
import caravan.pipeline.text.GopherQualityFilter;
import caravan.pipeline.text.GopherRepetitionFilter;
import caravan.pipeline.text.LengthFilter;
import caravan.pipeline.text.TextFilter;
import java.io.Serializable;
import java.util.List;

/**
 * The rules for documents of one language, each with the thresholds of that language.
 *
 * @param filters names of the rules that apply, in this order; the first that drops a document
 *     gives its reason
 */
public record LanguageRules(
    List<String> filters,
    LengthFilter length,
    GopherQualityFilter gopherQuality,
    GopherRepetitionFilter gopherRepetition,
    FineWebQualityFilter finewebQuality)
    implements Serializable {

  public LanguageRules {
    filters = List.copyOf(filters);
  }

  /**
   * The rules that apply, in order.
   *
   * @throws IllegalArgumentException for a name that is no rule
   */
  public List<TextFilter> chain() {
    return filters.stream().map(this::named).toList();
  }

  private TextFilter named(String name) {
    return switch (name) {
      case "length" -> length;
      case "gopher-quality" -> gopherQuality;
      case "gopher-repetition" -> gopherRepetition;
      case "fineweb-quality" -> finewebQuality;
      default ->
          throw new IllegalArgumentException(
              "clean filters: got "
                  + name
                  + ", wanted length, gopher-quality, gopher-repetition or fineweb-quality");
    };
  }
}
