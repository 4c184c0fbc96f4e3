package caravan.pipeline.tokenize;

import java.io.Serializable;
import net.openhft.hashing.LongHashFunction;

/**
 * Keeps all frequent segments and some of the rare ones, so that all pair counts stay right on
 * average: a segment with a count below the threshold stays with probability count / threshold and
 * then counts as the threshold (threshold sampling: Duffield, Lund and Thorup, 2005, "Learn more,
 * sample less", IEEE Transactions on Information Theory 51(5)). Whether it stays follows from its
 * text and the seed.
 *
 * @param threshold at least 1; with 1 everything stays as it is
 */
record SegmentSample(long threshold, long seed) implements Serializable {

  /** What a segment counts as; 0 if it goes. */
  long count(String segment, long count) {
    if (count >= threshold) return count;
    double place = (LongHashFunction.xx3(seed).hashChars(segment) >>> 11) * 0x1p-53;
    return place * threshold < count ? threshold : 0;
  }

  /**
   * The lowest threshold with which no more characters than a limit are expected to stay.
   *
   * @param counts the counts that occur, rising
   * @param characters how many characters the distinct segments of each count hold together
   * @throws IllegalArgumentException if no threshold does: the most frequent segments alone have
   *     more
   */
  static long threshold(long[] counts, long[] characters, long limit) {
    double frequent = 0;
    for (long c : characters) frequent += c;
    if (frequent <= limit) return 1;
    double rare = 0;
    for (int i = 0; i < counts.length; i++) {
      frequent -= characters[i];
      rare += (double) characters[i] * counts[i];
      long next = i + 1 < counts.length ? counts[i + 1] : Long.MAX_VALUE;
      if (frequent >= limit) continue;
      double needed = Math.ceil(rare / (limit - frequent));
      if (needed <= next) return (long) Math.max(needed, counts[i] + 1.0);
    }
    throw new IllegalArgumentException("a limit of " + limit + " characters");
  }
}
