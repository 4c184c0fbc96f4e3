package caravan.pipeline.text;

import java.util.Arrays;

/**
 * Repeated n-grams of a text's words. An n-gram is known by a 64-bit hash made from its words'
 * hashes w by the prefix sums S(i+1) = S(i)·B + w(i) modulo 2^64: hash(i, n) = S(i+n) − S(i)·B^n,
 * so each n costs one pass without touching the text. Different n-grams of one text share a hash
 * with probability below 10^-9 for a million words.
 */
final class Ngrams {
  private static final long BASE = 0x9E3779B97F4A7C15L;

  private final Words words;
  private final long[] prefix;

  /** Code points before each word's start, and after the last. */
  private final int[] position;

  /** Code points before each word's end. */
  private final int[] endPosition;

  private final long[] keys;
  private final int[] counts;
  private final int mask;

  Ngrams(Words words) {
    this.words = words;
    int count = words.count();
    prefix = new long[count + 1];
    position = new int[count];
    endPosition = new int[count];
    int characters = 0;
    int at = 0;
    for (int i = 0; i < count; i++) {
      prefix[i + 1] = prefix[i] * BASE + words.hash(i);
      characters += words.text().codePointCount(at, words.start(i));
      position[i] = characters;
      characters += words.text().codePointCount(words.start(i), words.end(i));
      endPosition[i] = characters;
      at = words.end(i);
    }
    int capacity = Integer.highestOneBit(Math.max(8, count)) << 2;
    keys = new long[capacity];
    counts = new int[capacity];
    mask = capacity - 1;
  }

  /** Code points of all occurrences of the n-gram with the most of them; 0 without repetition. */
  long topCharacters(int n) {
    Arrays.fill(counts, 0);
    long power = power(n);
    long most = 0;
    for (int i = 0; i + n <= words.count(); i++) {
      int occurrences = ++counts[slot(prefix[i + n] - prefix[i] * power)];
      if (occurrences > 1) {
        most = Math.max(most, (long) occurrences * length(i, n));
      }
    }
    return most;
  }

  /** Code points of n-grams that came before, without overlap. */
  long repeatedCharacters(int n) {
    Arrays.fill(counts, 0);
    long power = power(n);
    long repeated = 0;
    int i = 0;
    while (i + n <= words.count()) {
      int slot = slot(prefix[i + n] - prefix[i] * power);
      if (counts[slot]++ > 0) {
        repeated += length(i, n);
        i += n;
      } else {
        i++;
      }
    }
    return repeated;
  }

  /** Code points from the first word's start to the last word's end. */
  private int length(int first, int n) {
    return endPosition[first + n - 1] - position[first];
  }

  /** Where the hash is counted; a free slot has count 0. */
  private int slot(long hash) {
    int slot = (int) Words.mix(hash) & mask;
    while (counts[slot] != 0 && keys[slot] != hash) {
      slot = slot + 1 & mask;
    }
    keys[slot] = hash;
    return slot;
  }

  private static long power(int n) {
    long power = 1;
    for (int i = 0; i < n; i++) {
      power *= BASE;
    }
    return power;
  }
}
