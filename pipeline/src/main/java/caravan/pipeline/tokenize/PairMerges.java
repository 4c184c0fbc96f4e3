package caravan.pipeline.tokenize;

import java.util.Arrays;

/**
 * Which two neighbouring symbols merge into which, and in what order: byte pair encoding's table,
 * in open addressing. Symbols and ranks are numbers ≥ 0; what they stand for is the caller's
 * matter.
 */
final class PairMerges {
  /** In place of a merge: the two do not merge. Above every merge. */
  static final long NONE = Long.MAX_VALUE;

  private static final long EMPTY = -1;

  /** A pair and its merge beside each other, so that a look-up touches one cache line. */
  private long[] slots = new long[2 * 64];

  private int mask = 63;
  private int size;

  /**
   * Adds a merge.
   *
   * @param rank lower ones go first; equal ones from left to right
   * @throws IllegalArgumentException if the pair has a merge already
   */
  void put(int left, int right, int rank, int merged) {
    if (2 * (size + 1) > mask + 1) grow();
    long pair = pair(left, right);
    int slot = slotOf(pair);
    if (slots[slot] == pair) {
      throw new IllegalArgumentException("two merges of the symbols " + left + " and " + right);
    }
    slots[slot] = pair;
    slots[slot + 1] = (long) rank << 32 | merged;
    size++;
  }

  /**
   * The merge of a pair, as its rank in the upper and the merged symbol in the lower 32 bits, or
   * {@link #NONE}. Negative symbols never merge.
   */
  long of(int left, int right) {
    long pair = pair(left, right);
    for (int slot = hash(pair) & mask; ; slot = slot + 1 & mask) {
      long found = slots[2 * slot];
      if (found == EMPTY) return NONE; // first, because two negative symbols look like it
      if (found == pair) return slots[2 * slot + 1];
    }
  }

  /** Number of pairs that merge. */
  int size() {
    return size;
  }

  PairMerges() {
    Arrays.fill(slots, EMPTY);
  }

  private int slotOf(long pair) {
    int slot = hash(pair) & mask;
    while (slots[2 * slot] != EMPTY && slots[2 * slot] != pair) slot = slot + 1 & mask;
    return 2 * slot;
  }

  private void grow() {
    long[] before = slots;
    slots = new long[2 * before.length];
    mask = 2 * mask + 1;
    Arrays.fill(slots, EMPTY);
    for (int i = 0; i < before.length; i += 2) {
      if (before[i] == EMPTY) continue;
      int slot = slotOf(before[i]);
      slots[slot] = before[i];
      slots[slot + 1] = before[i + 1];
    }
  }

  private static long pair(int left, int right) {
    return (long) left << 32 | right & 0xFFFFFFFFL;
  }

  private static int hash(long pair) {
    long mixed = pair * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 32 ^ mixed >>> 47);
  }
}
