package caravan.pipeline.learn;

import java.io.Serializable;

/** Where each of different longs stands in an array. */
final class LongIndex implements Serializable {
  private final long[] keys;
  private final int[] slots;
  private final int mask;

  LongIndex(long[] keys) {
    this.keys = keys;
    slots = new int[Integer.highestOneBit(Math.max(4, keys.length)) << 2];
    mask = slots.length - 1;
    for (int i = 0; i < keys.length; i++) {
      int slot = slot(keys[i]);
      if (slots[slot] != 0) {
        throw new IllegalArgumentException(
            "key " + keys[i] + ": got it twice, wanted different keys");
      }
      slots[slot] = i + 1;
    }
  }

  int size() {
    return keys.length;
  }

  /**
   * @throws IllegalArgumentException when the key is not there
   */
  int of(long key) {
    int index = slots[slot(key)] - 1;
    if (index < 0) {
      throw new IllegalArgumentException("key " + key + ": not among " + keys.length);
    }
    return index;
  }

  boolean has(long key) {
    return slots[slot(key)] != 0;
  }

  private int slot(long key) {
    long h = key * 0x9E3779B97F4A7C15L;
    int slot = (int) (h ^ h >>> 32) & mask;
    while (slots[slot] != 0 && keys[slots[slot] - 1] != key) {
      slot = slot + 1 & mask;
    }
    return slot;
  }
}
