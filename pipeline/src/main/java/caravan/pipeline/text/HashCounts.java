package caravan.pipeline.text;

import java.util.Arrays;

/**
 * Counts 64-bit hashes; open addressing, no boxes. An entry is a hash's upper 38 bits and its count
 * in the lower 26, so that a look-up costs one access to memory; where a hash is looked up depends
 * on its lower bits. Equal hashes are taken for equal things, and so, with a probability of 2^-38
 * for each entry passed on the way, are others.
 */
final class HashCounts {
  private static final int COUNT_BITS = 26;
  private static final long COUNT = (1L << COUNT_BITS) - 1;

  private long[] entries = new long[0];
  private int mask;

  /**
   * @param capacity different hashes that will be added at most
   */
  HashCounts(int capacity) {
    cleared(capacity);
  }

  /** The same table, empty, with room for as many different hashes. */
  HashCounts cleared(int capacity) {
    int slots = Integer.highestOneBit(Math.max(4, Math.min(capacity, 1 << 27))) << 2;
    if (slots > entries.length) {
      entries = new long[slots];
    } else {
      Arrays.fill(entries, 0, slots, 0);
    }
    mask = slots - 1;
    return this;
  }

  /**
   * Reads the entries of hashes that are about to be looked up, all at once: memory answers many
   * questions in the time of one, as long as none waits for the answer to another. Returns what
   * must not be thrown away, or the compiler would not read.
   */
  long touch(long[] hashes, int count) {
    long sum = 0;
    for (int i = 0; i < count; i++) {
      sum += entries[(int) hashes[i] & mask];
    }
    return sum;
  }

  /** Counts the hash and returns how often it has been added, this time included; at most 2^26. */
  int add(long hash) {
    int slot = slot(hash);
    long entry = entries[slot];
    if (entry == 0) {
      entry = hash & ~COUNT;
    }
    if ((entry & COUNT) < COUNT) {
      entry++;
    }
    entries[slot] = entry;
    return (int) (entry & COUNT);
  }

  /** How often the hash has been added. */
  int count(long hash) {
    return (int) (entries[slot(hash)] & COUNT);
  }

  private int slot(long hash) {
    int slot = (int) hash & mask;
    while (entries[slot] != 0 && (entries[slot] ^ hash) >>> COUNT_BITS != 0) {
      slot = slot + 1 & mask;
    }
    return slot;
  }
}
