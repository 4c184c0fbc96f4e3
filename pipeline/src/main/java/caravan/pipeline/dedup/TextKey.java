package caravan.pipeline.dedup;

import net.openhft.hashing.LongHashFunction;

/**
 * What makes two texts exact duplicates: the 64-bit XXH3 hash of the text with its ends trimmed and
 * every run of white space read as one space. Letters, case and punctuation count.
 *
 * <p>Among n different texts, n²/2^65 pairs are expected to share a hash: 0.0003 pairs at 100
 * million documents, 0.03 at a billion.
 *
 * <p>Keeps its buffer between texts: one instance per thread.
 */
public final class TextKey {
  /** Of what makes texts equal; an index of another version is refused. */
  static final int VERSION = 1;

  private static final LongHashFunction XXH3 = LongHashFunction.xx3();

  private char[] folded = new char[4096];

  public long of(String text) {
    if (folded.length < text.length()) {
      folded = new char[Math.max(text.length(), folded.length * 2)];
    }
    int length = 0;
    boolean gap = false;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isWhitespace(c) || Character.isSpaceChar(c)) {
        gap = length > 0;
        continue;
      }
      if (gap) {
        folded[length++] = ' ';
        gap = false;
      }
      folded[length++] = c;
    }
    return XXH3.hashChars(folded, 0, length);
  }
}
