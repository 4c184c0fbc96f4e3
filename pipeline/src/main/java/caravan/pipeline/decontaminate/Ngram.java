package caravan.pipeline.decontaminate;

import caravan.pipeline.text.Words;

/** N-grams as 64-bit hashes. */
final class Ngram {
  private static final long MULTIPLIER = 0x9E3779B97F4A7C15L;

  private Ngram() {}

  /** Hashes of all runs of {@code length} units, in text order. */
  static long[] hashes(Words words, int length) {
    long[] grams = new long[Math.max(0, words.count() - length + 1)];
    long oldest = 1;
    for (int i = 1; i < length; i++) {
      oldest *= MULTIPLIER;
    }
    long rolling = 0;
    for (int i = 0; i < words.count(); i++) {
      if (i >= length) {
        rolling -= words.hash(i - length) * oldest;
      }
      rolling = rolling * MULTIPLIER + words.hash(i);
      if (i >= length - 1) {
        grams[i - length + 1] = spread(rolling + length);
      }
    }
    return grams;
  }

  /** MurmurHash3's 64-bit finalizer. */
  private static long spread(long h) {
    h = (h ^ h >>> 33) * 0xFF51AFD7ED558CCDL;
    h = (h ^ h >>> 33) * 0xC4CEB9FE1A85EC53L;
    return h ^ h >>> 33;
  }
}
