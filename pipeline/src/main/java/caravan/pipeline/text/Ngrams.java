package caravan.pipeline.text;

import java.util.Arrays;

/**
 * Repeated n-grams of a text's words. An n-gram is known by a 64-bit hash made from its words'
 * hashes w by the prefix sums S(i+1) = S(i)·B + w(i) modulo 2^64: hash(i, n) = S(i+n) − S(i)·B^n.
 * Different n-grams of one text share a hash with probability below 10^-5 for a million words.
 *
 * <p>Nearly all n-grams of a good text are there once, and those that matter are found without a
 * table of all: a bit per hash says which hashes come twice; only their places are counted. And
 * where an n-gram is repeated, its first and its last n−1 words are, too: asked for growing n, each
 * n looks only at the places that the one before has left.
 */
final class Ngrams {
  private static final long BASE = 0x9E3779B97F4A7C15L;

  /** Bits per n-gram, at least: one in so many passes for repeated without being so. */
  private static final int BITS = 8;

  /** Places whose entries in a table are fetched together. */
  private static final int BLOCK = 32;

  /** A text of more words gets its own memory instead of the thread's. */
  private static final int MANY_WORDS = 1 << 16;

  private static final ThreadLocal<Scratch> SCRATCH =
      ThreadLocal.withInitial(() -> new Scratch(MANY_WORDS));

  private final Words words;
  private final Scratch scratch;

  /** Places whose n-grams may be there more than once, in order, for the last n asked for. */
  private int placeCount;

  /** Different n-grams at these places, at most. */
  private int different;

  private int level;

  /** In chars. */
  private int longestWord;

  /** The last n whose most frequent n-gram was looked for, and how often it occurs; n 0: none. */
  private int topN;

  private int topOccurrences;

  Ngrams(Words words) {
    this.words = words;
    this.scratch = words.count() > MANY_WORDS ? new Scratch(words.count()) : SCRATCH.get();
  }

  /** Takes the thread's memory, which another text may have used since. */
  private void claimScratch() {
    long[] prefix = scratch.prefix;
    prefix[0] = 0;
    for (int i = 0; i < words.count(); i++) {
      prefix[i + 1] = prefix[i] * BASE + words.hash(i);
      longestWord = Math.max(longestWord, words.end(i) - words.start(i));
    }
    scratch.owner = this;
    level = 0;
  }

  /**
   * Code points of all occurrences of the most frequent n-gram, of the longest where several are;
   * what stands between two words counts as one. 0 without repetition.
   */
  long topCharacters(int n) {
    narrow(n);
    long power = power(n);
    int[] places = scratch.places;
    HashCounts counts = scratch.table.cleared(different);
    int most = 1;
    int longest = 0;
    int first = 0;
    for (int p = 0; p < placeCount; p++) {
      int occurrences = counts.add(nextHash(counts, p, n, power));
      first += occurrences == 1 ? 1 : 0;
      if (occurrences > 1 && occurrences >= most) {
        longest = Math.max(occurrences > most ? 0 : longest, joined(places[p], n));
        most = occurrences;
      }
    }
    topN = n;
    topOccurrences = most;
    if (first > placeCount / 2) { // else most places would stay: not worth the look at all of them
      keepRepeated(counts, n, power);
    }
    return (long) most * longest;
  }

  /**
   * What {@link #topCharacters} cannot exceed, without counting anything: an n-gram is not more
   * frequent than its first words. Known once a smaller n has been asked for; else infinite.
   */
  double maxTopCharacters(int n) {
    boolean known = topN > 0 && topN <= n;
    return known ? (double) topOccurrences * n * (longestWord + 1) : Double.POSITIVE_INFINITY;
  }

  /** Code points of the words of n-grams that came before, without overlap. */
  long repeatedCharacters(int n) {
    narrow(n);
    HashCounts seen = scratch.table.cleared(different);
    long power = power(n);
    long repeated = 0;
    int next = 0;
    for (int p = 0; p < placeCount; p++) {
      int place = scratch.places[p];
      long hash = nextHash(seen, p, n, power);
      if (place >= next && seen.add(hash) > 1) {
        next = place + n;
        for (int word = place; word < next; word++) {
          repeated += characters(word);
        }
      }
    }
    return repeated;
  }

  /** Leaves the places whose n-gram may be there more than once. */
  private void narrow(int n) {
    if (scratch.owner != this) {
      claimScratch();
    }
    if (level == n) {
      return;
    }
    if (level == 0 || n < level) {
      allPlaces(n, power(n));
    } else {
      placesThatGoOn(n - level);
    }
    level = n;
  }

  private void allPlaces(int n, long power) {
    int last = words.count() - n;
    int bits = Scratch.bits(words.count());
    long[] once = cleared(scratch.once, bits >> 6);
    long[] twice = cleared(scratch.twice, bits >> 6);
    for (int i = 0; i <= last; i++) {
      int slot = (int) hash(i, n, power) & bits - 1;
      long bit = 1L << slot;
      twice[slot >> 6] |= once[slot >> 6] & bit;
      once[slot >> 6] |= bit;
    }
    int count = 0;
    for (int i = 0; i <= last; i++) {
      int slot = (int) hash(i, n, power) & bits - 1;
      scratch.places[count] = i;
      count += (int) (twice[slot >> 6] >>> slot & 1);
    }
    placeCount = count;
    different = Math.min(count, different(twice, bits));
  }

  /**
   * How many hashes set these bits, with a margin of an eighth: where much is repeated, few, and
   * the table that counts them stays near. Linear counting (Whang et al. 1990).
   */
  private static int different(long[] set, int bits) {
    long ones = 0;
    for (int i = 0; i < bits >> 6; i++) {
      ones += Long.bitCount(set[i]);
    }
    return (int) (-bits * Math.log1p(-(double) ones / bits) * 1.125) + 64;
  }

  private static long[] cleared(long[] bits, int length) {
    Arrays.fill(bits, 0, length, 0);
    return bits;
  }

  /** Places whose neighbour {@code step} words on is one, too. */
  private void placesThatGoOn(int step) {
    int[] places = scratch.places;
    int count = 0;
    for (int p = 0, q = 0; p < placeCount; p++) {
      while (q < placeCount && places[q] < places[p] + step) {
        q++;
      }
      if (q < placeCount && places[q] == places[p] + step) {
        places[count++] = places[p];
      }
    }
    placeCount = count;
    different = count;
  }

  private void keepRepeated(HashCounts counts, int n, long power) {
    int[] places = scratch.places;
    int count = 0;
    for (int p = 0; p < placeCount; p++) {
      if (counts.count(nextHash(counts, p, n, power)) > 1) {
        places[count++] = places[p];
      }
    }
    placeCount = count;
  }

  /**
   * Hash of a place's n-gram; the places are asked for in order, which lets the table get ready.
   */
  private long nextHash(HashCounts table, int p, int n, long power) {
    int at = p % BLOCK;
    if (at == 0) {
      int count = Math.min(BLOCK, placeCount - p);
      for (int i = 0; i < count; i++) {
        scratch.block[i] = hash(scratch.places[p + i], n, power);
      }
      scratch.touched += table.touch(scratch.block, count);
    }
    return scratch.block[at];
  }

  private long hash(int place, int n, long power) {
    return Words.mix(scratch.prefix[place + n] - scratch.prefix[place] * power);
  }

  /** Length of an n-gram with one character between words that do not touch. */
  private int joined(int place, int n) {
    int length = characters(place);
    for (int word = place + 1; word < place + n; word++) {
      length += characters(word) + (words.start(word) > words.end(word - 1) ? 1 : 0);
    }
    return length;
  }

  private int characters(int word) {
    int start = words.start(word);
    int end = words.end(word);
    return words.isBasic() ? end - start : words.text().codePointCount(start, end);
  }

  private static long power(int n) {
    long power = 1;
    for (int i = 0; i < n; i++) {
      power *= BASE;
    }
    return power;
  }

  /** Memory for one text at a time. */
  private static final class Scratch {
    final long[] prefix;
    final int[] places;
    final long[] once;
    final long[] twice;
    final HashCounts table = new HashCounts(0);
    final long[] block = new long[BLOCK];
    long touched;
    Ngrams owner;

    Scratch(int wordCount) {
      prefix = new long[wordCount + 1];
      places = new int[wordCount + 1];
      once = new long[bits(wordCount) >> 6];
      twice = new long[bits(wordCount) >> 6];
    }

    /** A power of two from 64 to 2^29. */
    static int bits(int wordCount) {
      return Integer.highestOneBit(Math.max(4, Math.min(wordCount, 1 << 25))) * 2 * BITS;
    }
  }
}
