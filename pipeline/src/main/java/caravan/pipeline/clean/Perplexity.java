package caravan.pipeline.clean;

import caravan.pipeline.text.PerplexityFilter;
import java.io.Serializable;
import java.util.List;

/**
 * Settings of the {@link PerplexityFilter} and of the n-gram model behind it, which is learned from
 * a reference corpus before cleaning begins. In use when there is a reference.
 *
 * @param reference good texts of the language: raw files or stage outputs, read as the input is
 * @param order longest n-grams, 1 to 8 units
 * @param maxVocabulary most words that the model knows
 * @param maxNgrams n-grams of all orders that the model holds at most, 12 bytes each
 * @param sampleBytes stored bytes of the input from which the cut-offs are learned
 * @param head share of the sample's documents with the lowest perplexities that are the head
 * @param middle share that are head and middle together
 * @param keep which parts stay, neighbours
 */
public record Perplexity(
    List<String> reference,
    int order,
    int maxVocabulary,
    int maxNgrams,
    long sampleBytes,
    double head,
    double middle,
    List<PerplexityFilter.Bucket> keep)
    implements Serializable {
  /** Name of the rule. */
  public static final String RULE = "perplexity";

  public Perplexity {
    reference = List.copyOf(reference);
    keep = keep.stream().sorted().distinct().toList();
    check("order", order, order >= 1 && order <= 8, "1 to 8");
    check("max-vocabulary", maxVocabulary, maxVocabulary >= 1, "at least 1");
    check(
        "max-ngrams",
        maxNgrams,
        maxNgrams >= maxVocabulary && maxNgrams <= 500_000_000,
        "max-vocabulary to 500000000");
    check("sample-bytes", sampleBytes, sampleBytes >= 1, "at least 1");
    check("head", head, head > 0 && head <= middle, "more than 0 and at most middle");
    check("middle", middle, middle <= 1, "at most 1");
    boolean neighbours =
        !keep.isEmpty()
            && keep.get(keep.size() - 1).ordinal() - keep.get(0).ordinal() == keep.size() - 1;
    check("keep", keep, neighbours, "one or more of head, middle and tail without a gap");
  }

  private static void check(String key, Object got, boolean fine, String wanted) {
    if (!fine) {
      throw new IllegalArgumentException(
          "clean perplexity.%s: got %s, wanted %s".formatted(key, got, wanted));
    }
  }

  boolean inUse() {
    return !reference.isEmpty();
  }
}
