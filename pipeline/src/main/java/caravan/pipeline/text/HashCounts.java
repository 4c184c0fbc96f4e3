package caravan.pipeline.text;

/** Counts 64-bit hashes; open addressing, no boxes. Equal hashes are taken for equal things. */
final class HashCounts {
  private final long[] keys;
  private final int[] counts;
  private final int mask;

  /**
   * @param capacity different hashes that will be added at most
   */
  HashCounts(int capacity) {
    int slots = Integer.highestOneBit(Math.max(8, capacity)) << 2;
    keys = new long[slots];
    counts = new int[slots];
    mask = slots - 1;
  }

  /** Counts the hash and returns how often it has been added, this time included. */
  int add(long hash) {
    int slot = (int) hash & mask;
    while (counts[slot] != 0 && keys[slot] != hash) {
      slot = slot + 1 & mask;
    }
    keys[slot] = hash;
    return ++counts[slot];
  }
}
