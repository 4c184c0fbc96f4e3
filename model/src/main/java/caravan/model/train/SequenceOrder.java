package caravan.model.train;

import java.io.Serializable;

/**
 * The order in which training visits the sequences: position p, counted over all epochs, belongs to
 * epoch p / size and is there the image of p mod size under that epoch's seeded permutation (a
 * four-round Feistel network with cycle walking: Black and Rogaway, CT-RSA 2002), so any position
 * is found without storing or shuffling anything.
 *
 * @param size number of sequences, at least 1
 * @param seed chooses the permutations
 */
public record SequenceOrder(long size, long seed) implements Serializable {
  public SequenceOrder {
    if (size < 1) {
      throw new IllegalArgumentException(
          "training data: got " + size + " sequences, wanted at least 1");
    }
  }

  /** Index of the sequence at a position. */
  public long indexAt(long position) {
    long epoch = position / size;
    long index = position % size;
    int halfBits = Math.max(1, (65 - Long.numberOfLeadingZeros(Math.max(1, size - 1))) / 2);
    do {
      index = permute(index, halfBits, mix(seed + epoch * 0x9E3779B97F4A7C15L));
    } while (index >= size);
    return index;
  }

  private static long permute(long value, int halfBits, long key) {
    long mask = (1L << halfBits) - 1;
    long left = value >>> halfBits;
    long right = value & mask;
    for (int round = 0; round < 4; round++) {
      long next = left ^ (mix(right + key + round) & mask);
      left = right;
      right = next;
    }
    return left << halfBits | right;
  }

  /** SplitMix64's finalizer (Steele et al., OOPSLA 2014). */
  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }
}
