package caravan.pipeline.dedup;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The set of a text's shingles as bytes: the upper 32 bits of each hash, sorted, the gaps between
 * them in Golomb-Rice code (Rice, "Some Practical Universal Noiseless Coding Techniques", 1979). A
 * set of 400 shingles takes 3.1 bytes for each; whole hashes take 8.
 *
 * <p>Two texts of n and m different shingles are expected to share n·m/2^32 values by chance alone:
 * 0.00004 for two of 400, 0.006 for two of 5,000, which moves their similarity by less than the
 * three decimals that are told.
 */
final class ShingleSet {
  private static final byte[] EMPTY = {};
  private static final long RANGE = 1L << Integer.SIZE;

  private ShingleSet() {}

  /** The set of a text; no bytes for a text without shingles. */
  static byte[] of(String text, Shingles shingles) {
    int count = shingles.read(text);
    int[] values = new int[count];
    for (int i = 0; i < count; i++) {
      values[i] = (int) (shingles.hashes()[i] >>> Integer.SIZE) ^ Integer.MIN_VALUE;
    }
    Arrays.sort(values);
    int distinct = 0;
    for (int i = 0; i < count; i++) {
      if (i == 0 || values[i] != values[i - 1]) {
        values[distinct++] = values[i];
      }
    }
    return distinct == 0 ? EMPTY : new Encoder(distinct).encoded(values);
  }

  /** The values in ascending order. */
  static int[] values(byte[] set) {
    return set.length == 0 ? new int[0] : new Decoder(set).values();
  }

  /**
   * Size of the intersection over size of the union.
   *
   * @param a ascending, each once
   * @param b ascending, each once
   * @return 0 to 1; 0 when both are empty: texts without units are not called similar
   */
  static double jaccard(int[] a, int[] b) {
    int i = 0;
    int j = 0;
    int shared = 0;
    while (i < a.length && j < b.length) {
      int x = a[i];
      int y = b[j];
      i += x <= y ? 1 : 0;
      j += y <= x ? 1 : 0;
      shared += x == y ? 1 : 0;
    }
    int union = a.length + b.length - shared;
    return union == 0 ? 0 : (double) shared / union;
  }

  /** Low bits that each gap has; the rest of it is written in unary. */
  private static int lowBits(int count) {
    return Long.SIZE - 1 - Long.numberOfLeadingZeros(RANGE / count);
  }

  /** {@code count, code}, the lowest bit of each byte first. */
  private static final class Encoder {
    private final int count;
    private final int lowBits;
    private byte[] out;
    private int at = Integer.BYTES;
    private long held;
    private int heldBits;

    Encoder(int count) {
      this.count = count;
      this.lowBits = lowBits(count);
      // Unary parts sum to at most RANGE >> lowBits, which is below 2 * count.
      this.out = new byte[(int) (Integer.BYTES + ((lowBits + 4L) * count) / Byte.SIZE + 16)];
    }

    byte[] encoded(int[] values) {
      ByteBuffer.wrap(out).putInt(count);
      long previous = Integer.MIN_VALUE;
      for (int i = 0; i < count; i++) {
        long gap = values[i] - previous;
        previous = values[i];
        for (long high = gap >>> lowBits; high > 0; high -= Math.min(high, 24)) {
          int ones = (int) Math.min(high, 24);
          write((1L << ones) - 1, ones);
        }
        write(0, 1);
        write(gap & (1L << lowBits) - 1, lowBits);
      }
      write(0, Byte.SIZE - 1);
      return Arrays.copyOf(out, at);
    }

    private void write(long bits, int number) {
      held |= bits << heldBits;
      heldBits += number;
      while (heldBits >= Byte.SIZE) {
        out[at++] = (byte) held;
        held >>>= Byte.SIZE;
        heldBits -= Byte.SIZE;
      }
    }
  }

  private static final class Decoder {
    private final byte[] in;
    private int at = Integer.BYTES;
    private long held;
    private int heldBits;

    Decoder(byte[] in) {
      this.in = in;
    }

    int[] values() {
      int[] values = new int[ByteBuffer.wrap(in).getInt()];
      int lowBits = lowBits(values.length);
      long mask = (1L << lowBits) - 1;
      long previous = Integer.MIN_VALUE;
      for (int i = 0; i < values.length; i++) {
        long high = 0;
        fill();
        while ((held & 1) == 1) {
          int ones = Math.min(Long.numberOfTrailingZeros(~held), heldBits);
          high += ones;
          skip(ones);
          fill();
        }
        skip(1);
        fill();
        previous += high << lowBits | held & mask;
        skip(lowBits);
        values[i] = (int) previous;
      }
      return values;
    }

    private void skip(int bits) {
      held >>>= bits;
      heldBits -= bits;
    }

    /** Holds 48 bits or more as long as there are so many. */
    private void fill() {
      while (heldBits <= Long.SIZE - 2 * Byte.SIZE && at < in.length) {
        held |= (in[at++] & 0xFFL) << heldBits;
        heldBits += Byte.SIZE;
      }
    }
  }
}
