package caravan.pipeline.text;

import java.util.List;
import java.util.Locale;

/**
 * Labels documents by how well an n-gram model of good texts predicts them, and drops those out of
 * the wanted parts (CCNet, Wenzek et al. 2019, arXiv 1911.00359, section 3.4: a third each). Low
 * perplexity is text like the reference; high is jargon, lists, other languages, and noise.
 *
 * @param model of a reference corpus
 * @param headMaximum perplexity up to which a document is head
 * @param middleMaximum perplexity up to which one that is not head is middle
 * @param keep the parts that stay, sorted, without a gap
 */
public record PerplexityFilter(
    Shared<NgramModel> model, double headMaximum, double middleMaximum, List<Bucket> keep)
    implements TextFilter {
  /** Key in a document's meta. */
  public static final String PERPLEXITY = "perplexity";

  /** Key in a document's meta: {@code head}, {@code middle} or {@code tail}. */
  public static final String BUCKET = "perplexity_bucket";

  private static final String UNIT = "perplexity per word";

  /** Parts of a corpus by perplexity. */
  public enum Bucket {
    HEAD,
    MIDDLE,
    TAIL
  }

  /** Keeps and labels everything. */
  public static PerplexityFilter measuring(Shared<NgramModel> model) {
    double none = Double.POSITIVE_INFINITY;
    return new PerplexityFilter(model, none, none, List.of(Bucket.values()));
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    if (passage.words().count() == 0) {
      return true;
    }
    double perplexity = of(passage.words());
    Bucket bucket = bucket(perplexity);
    passage.label(PERPLEXITY, String.format(Locale.ROOT, "%.2f", perplexity));
    passage.label(BUCKET, bucket.name().toLowerCase(Locale.ROOT));
    Bucket lowest = keep.get(0);
    Bucket highest = keep.get(keep.size() - 1);
    return (lowest == Bucket.HEAD
            || judge.atLeast("low_perplexity", perplexity, above(lowest), UNIT))
        && judge.atMost("high_perplexity", perplexity, maximum(highest), UNIT);
  }

  /** The perplexity that is judged: rounded to hundredths, as it is written. */
  public double of(Words words) {
    return Math.round(model.get().perplexity(words) * 100) / 100.0;
  }

  private Bucket bucket(double perplexity) {
    return perplexity <= headMaximum
        ? Bucket.HEAD
        : perplexity <= middleMaximum ? Bucket.MIDDLE : Bucket.TAIL;
  }

  private double maximum(Bucket bucket) {
    return switch (bucket) {
      case HEAD -> headMaximum;
      case MIDDLE -> middleMaximum;
      case TAIL -> Double.POSITIVE_INFINITY;
    };
  }

  /** What is more than the bucket below holds. */
  private double above(Bucket bucket) {
    return Math.nextUp(maximum(Bucket.values()[bucket.ordinal() - 1]));
  }
}
