package caravan.pipeline.dedup;

import java.util.Arrays;

/**
 * The shingles of a text: every run of {@code size} consecutive units, hashed to 64 bits. A unit is
 * one Han or kana character, or one run of other letters and digits, lower-cased; everything else
 * separates. Character units for Chinese matter: with words between spaces a Chinese paragraph is
 * one unit, and near duplicates share nothing.
 *
 * <p>A text of at least one unit but fewer than {@code size} has one shingle of all its units. A
 * text without units (empty, or punctuation alone) has none.
 *
 * <p>Keeps its buffers between texts: one instance per thread.
 */
public final class Shingles {
  /** Of what shingles and their hashes are; an index of another version is refused. */
  static final int VERSION = 1;

  private static final long MULTIPLIER = 0x9E3779B97F4A7C15L;

  private final int size;
  private final long oldestPower;
  private final long[] lastUnits;
  private int unitCount;
  private long rolling;
  private long[] hashes = new long[1024];
  private int count;

  /**
   * @param size units per shingle, at least 1
   */
  public Shingles(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("shingle size: got " + size + ", wanted at least 1 unit");
    }
    this.size = size;
    this.lastUnits = new long[size];
    long power = 1;
    for (int i = 1; i < size; i++) {
      power *= MULTIPLIER;
    }
    this.oldestPower = power;
  }

  /**
   * Reads a text.
   *
   * @return how many shingles it has, repeated ones counted each time
   */
  public int read(String text) {
    count = 0;
    unitCount = 0;
    rolling = 0;
    long run = 0;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      int letter = unitLetter(c);
      if (letter > 0) {
        run = (run + letter) * MULTIPLIER;
      } else {
        if (run != 0) {
          addUnit(run);
          run = 0;
        }
        if (letter < 0) {
          addUnit(-letter * MULTIPLIER);
        }
      }
    }
    if (run != 0) {
      addUnit(run);
    }
    if (unitCount > 0 && unitCount < size) {
      addShingle();
    }
    return count;
  }

  /** Hashes of the last read text's shingles, in text order; valid up to the count returned. */
  public long[] hashes() {
    return hashes;
  }

  /** The set of a text's shingles: sorted, each once. */
  public long[] set(String text) {
    read(text);
    Arrays.sort(hashes, 0, count);
    int distinct = 0;
    for (int i = 0; i < count; i++) {
      if (i == 0 || hashes[i] != hashes[i - 1]) {
        hashes[distinct++] = hashes[i];
      }
    }
    return Arrays.copyOf(hashes, distinct);
  }

  /**
   * Size of the intersection over size of the union.
   *
   * @param a sorted, each once
   * @param b sorted, each once
   * @return 0 to 1; 0 when both are empty: texts without units are not called similar
   */
  public static double jaccard(long[] a, long[] b) {
    int i = 0;
    int j = 0;
    int shared = 0;
    while (i < a.length && j < b.length) {
      long x = a[i];
      long y = b[j];
      i += x <= y ? 1 : 0;
      j += y <= x ? 1 : 0;
      shared += x == y ? 1 : 0;
    }
    int union = a.length + b.length - shared;
    return union == 0 ? 0 : (double) shared / union;
  }

  /** The lower-cased letter of a run; negative for a unit of its own; 0 for a separator. */
  private static int unitLetter(int c) {
    if (c < 128) {
      if (c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
        return c;
      }
      return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : 0;
    }
    if (Character.isIdeographic(c) || c >= 0x3041 && c <= 0x30FF && Character.isLetter(c)) {
      return -c;
    }
    return Character.isLetterOrDigit(c) ? Character.toLowerCase(c) : 0;
  }

  private void addUnit(long unit) {
    long mixed = mix(unit);
    int slot = unitCount % size;
    if (unitCount >= size) {
      rolling -= lastUnits[slot] * oldestPower;
    }
    rolling = rolling * MULTIPLIER + mixed;
    lastUnits[slot] = mixed;
    unitCount++;
    if (unitCount >= size) {
      addShingle();
    }
  }

  private void addShingle() {
    if (count == hashes.length) {
      hashes = Arrays.copyOf(hashes, count * 2);
    }
    hashes[count++] = mix(rolling);
  }

  /** MurmurHash3's 64-bit finalizer: a bijection that spreads every bit. */
  static long mix(long h) {
    h ^= h >>> 33;
    h *= 0xFF51AFD7ED558CCDL;
    h ^= h >>> 33;
    h *= 0xC4CEB9FE1A85EC53L;
    return h ^ (h >>> 33);
  }
}
