package caravan.jobs.report;

import java.io.Serializable;

/**
 * Interpolated Kneser-Ney bigram (Kneser and Ney 1995; Chen and Goodman 1999, section 2.7) over
 * token ids, the simplest model that has seen the corpus:
 *
 * <pre>
 * p(b | a) = max(c(ab) − D, 0) / c(a) + D · followers(a) / c(a) · q(b)
 * q(b)     = max(predecessors(b) − D', 0) / bigrams + D' · |{b: predecessors(b) &gt; 0}| / bigrams / V
 * </pre>
 *
 * with c the counts of bigrams, <em>bigrams</em> the number of different ones, and D = n1 / (n1 +
 * 2·n2) from the bigrams seen once and twice (D' likewise over predecessors). A token never seen
 * before {@code b} falls back on q alone. Probabilities over the vocabulary sum to 1.
 */
final class KneserNeyBigram implements Serializable {
  private final long[] total;
  private final int[] followers;
  private final int[] predecessors;
  private final long bigrams;
  private final long known;
  private final double discount;
  private final double lowerDiscount;

  /**
   * @param total [vocabulary] how often each id comes first in a bigram
   * @param followers [vocabulary] different ids seen after each id
   * @param predecessors [vocabulary] different ids seen before each id
   * @param once bigrams seen exactly once
   * @param twice bigrams seen exactly twice
   */
  KneserNeyBigram(long[] total, int[] followers, int[] predecessors, long once, long twice) {
    this.total = total;
    this.followers = followers;
    this.predecessors = predecessors;
    long different = 0;
    long seen = 0;
    long afterOne = 0;
    long afterTwo = 0;
    for (int count : predecessors) {
      different += count;
      seen += count > 0 ? 1 : 0;
      afterOne += count == 1 ? 1 : 0;
      afterTwo += count == 2 ? 1 : 0;
    }
    bigrams = different;
    known = seen;
    discount = discount(once, twice);
    lowerDiscount = discount(afterOne, afterTwo);
  }

  /** Where counts of one or two are missing the estimate is of no use: 0.5 then, a usual value. */
  private static double discount(long once, long twice) {
    return once == 0 || twice == 0 ? 0.5 : (double) once / (once + 2.0 * twice);
  }

  double discount() {
    return discount;
  }

  /**
   * Natural logarithm of p(second | first).
   *
   * @param count how often the pair was seen in training
   */
  double logProbability(int first, int second, long count) {
    double lower =
        Math.max(predecessors[second] - lowerDiscount, 0) / bigrams
            + lowerDiscount * known / bigrams / predecessors.length;
    if (total[first] == 0) {
      return Math.log(lower);
    }
    double higher = Math.max(count - discount, 0) / total[first];
    return Math.log(higher + discount * followers[first] / total[first] * lower);
  }
}
