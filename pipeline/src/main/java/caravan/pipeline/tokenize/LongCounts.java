package caravan.pipeline.tokenize;

import java.util.Arrays;

/** Sums by a key of 64 bits, without an object per key. */
final class LongCounts {
  /** Keys plus one, so that 0 is an empty slot. */
  private long[] keys = new long[1 << 12];

  private long[] sums = new long[1 << 12];
  private int size;

  /**
   * @param key not -1
   */
  void add(long key, long count) {
    int slot = slot(key + 1);
    if (keys[slot] == 0) {
      keys[slot] = key + 1;
      size++;
    }
    sums[slot] += count;
    if (size > keys.length / 2) grow();
  }

  int size() {
    return size;
  }

  void clear() {
    Arrays.fill(keys, 0);
    Arrays.fill(sums, 0);
    size = 0;
  }

  /** Places for a key; some are free. */
  int slots() {
    return keys.length;
  }

  boolean isTaken(int slot) {
    return keys[slot] != 0;
  }

  long key(int slot) {
    return keys[slot] - 1;
  }

  long sum(int slot) {
    return sums[slot];
  }

  private int slot(long stored) {
    long mixed = stored * 0x9E3779B97F4A7C15L;
    int slot = (int) (mixed >>> 32) & keys.length - 1;
    while (keys[slot] != 0 && keys[slot] != stored) slot = (slot + 1) & keys.length - 1;
    return slot;
  }

  private void grow() {
    long[] oldKeys = keys;
    long[] oldSums = sums;
    keys = new long[oldKeys.length * 2];
    sums = new long[oldKeys.length * 2];
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] == 0) continue;
      int slot = slot(oldKeys[i]);
      keys[slot] = oldKeys[i];
      sums[slot] = oldSums[i];
    }
  }
}
