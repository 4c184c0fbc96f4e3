package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * The pairs of neighbouring characters that occur often enough to lie in a learned piece, and the
 * cuts that follow: between all others a segment is parted, and characters outside of the alphabet
 * go.
 *
 * <p>No merge is lost by this. A piece occurs no more often than any pair of neighbours in it; so a
 * merge with at least as many occurrences as the rarest of these pairs holds no other, and each of
 * its occurrences lies inside a part. The counts of such merges are those of the whole segments,
 * while the parts, short and made of frequent characters only, are far fewer: Chinese, where a
 * segment is a clause, becomes as compact as English with its words.
 */
final class FrequentPairs implements Serializable {
  private static final long serialVersionUID = 1;
  private static final int SHIFT = 21;

  private final Alphabet alphabet;

  /** Sorted; null if every pair is frequent. */
  private final long[] pairs;

  private FrequentPairs(Alphabet alphabet, long[] pairs) {
    this.alphabet = alphabet;
    this.pairs = pairs;
  }

  /** Cuts at characters outside of the alphabet only. */
  static FrequentPairs all(Alphabet alphabet) {
    return new FrequentPairs(alphabet, null);
  }

  /**
   * @param pairs made by {@link #pair}
   */
  static FrequentPairs of(Alphabet alphabet, long[] pairs) {
    long[] sorted = pairs.clone();
    Arrays.sort(sorted);
    return new FrequentPairs(alphabet, sorted);
  }

  static long pair(int left, int right) {
    return (long) left << SHIFT | right;
  }

  /** Adds the pairs of a segment to the sums, those inside the alphabet. */
  static void count(String segment, long times, Alphabet alphabet, LongCounts sums) {
    int previous = -1;
    for (int i = 0; i < segment.length(); ) {
      int character = segment.codePointAt(i);
      i += Character.charCount(character);
      boolean known = alphabet.contains(character);
      if (known && previous >= 0) sums.add(pair(previous, character), times);
      previous = known ? character : -1;
    }
  }

  /** Hands on the parts of a segment that hold two characters or more: one alone has no pair. */
  void cut(String segment, Consumer<String> sink) {
    int start = 0;
    int previous = -1;
    int length = 0;
    for (int i = 0; i < segment.length(); ) {
      int character = segment.codePointAt(i);
      boolean known = alphabet.contains(character);
      boolean joins = known && previous >= 0 && isFrequent(previous, character);
      if (!joins) {
        if (length > 1) sink.accept(segment.substring(start, i));
        start = i;
        length = 0;
      }
      length++;
      previous = known ? character : -1;
      i += Character.charCount(character);
    }
    if (length > 1) sink.accept(segment.substring(start));
  }

  private boolean isFrequent(int left, int right) {
    return pairs == null || Arrays.binarySearch(pairs, pair(left, right)) >= 0;
  }
}
