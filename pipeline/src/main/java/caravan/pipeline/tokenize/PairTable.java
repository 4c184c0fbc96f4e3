package caravan.pipeline.tokenize;

import java.util.Arrays;

/**
 * Neighbouring symbols, how often each pair occurs and where. A pair is known by a number, given in
 * the order of first sight.
 */
final class PairTable {
  /** The pair may not be merged. */
  static final int NEVER = -1;

  private static final int[] NOWHERE = {};

  private long[] keys = new long[1 << 16];

  /** Number of the pair in a slot plus 2, 1 for {@link #NEVER}, 0 for an empty slot. */
  private int[] slots = new int[1 << 16];

  private int used;
  private int size;
  private long[] pairs = new long[1 << 15];
  private long[] counts = new long[1 << 15];
  private int[][] positions = new int[1 << 15][];
  private int[] positionCounts = new int[1 << 15];

  /** Says whether a pair may be merged; asked once a pair. */
  interface Admission {
    boolean admits(int left, int right);
  }

  private final Admission admission;

  PairTable(Admission admission) {
    this.admission = admission;
  }

  /** The number of a pair, or {@link #NEVER}. */
  int find(int left, int right) {
    long key = (long) left << 32 | right;
    int slot = slot(key);
    while (slots[slot] != 0) {
      if (keys[slot] == key) return slots[slot] - 2;
      slot = (slot + 1) & slots.length - 1;
    }
    int pair = admission.admits(left, right) ? addPair(key) : NEVER;
    keys[slot] = key;
    slots[slot] = pair + 2;
    if (++used > slots.length / 2) rehash();
    return pair;
  }

  int size() {
    return size;
  }

  int left(int pair) {
    return (int) (pairs[pair] >>> 32);
  }

  int right(int pair) {
    return (int) pairs[pair];
  }

  long count(int pair) {
    return counts[pair];
  }

  /** Adds an occurrence. */
  void add(int pair, int position, long weight) {
    counts[pair] += weight;
    int[] at = positions[pair];
    int n = positionCounts[pair];
    if (n == at.length) positions[pair] = at = Arrays.copyOf(at, Math.max(2, n + (n >> 1) + 1));
    at[n] = position;
    positionCounts[pair] = n + 1;
  }

  /** Takes an occurrence back; its position stays listed until the pair is taken. */
  void remove(int pair, long weight) {
    counts[pair] -= weight;
    if (counts[pair] == 0) {
      positions[pair] = NOWHERE;
      positionCounts[pair] = 0;
    }
  }

  /** Forgets a pair's occurrences and gives their positions, outdated ones among them. */
  int[] take(int pair) {
    int[] at = Arrays.copyOf(positions[pair], positionCounts[pair]);
    positions[pair] = NOWHERE;
    positionCounts[pair] = 0;
    counts[pair] = 0;
    return at;
  }

  private int addPair(long key) {
    if (size == pairs.length) {
      int capacity = size * 2;
      pairs = Arrays.copyOf(pairs, capacity);
      counts = Arrays.copyOf(counts, capacity);
      positions = Arrays.copyOf(positions, capacity);
      positionCounts = Arrays.copyOf(positionCounts, capacity);
    }
    pairs[size] = key;
    positions[size] = NOWHERE;
    return size++;
  }

  private int slot(long key) {
    long mixed = key * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 32) & slots.length - 1;
  }

  private void rehash() {
    long[] oldKeys = keys;
    int[] oldSlots = slots;
    keys = new long[oldKeys.length * 2];
    slots = new int[oldSlots.length * 2];
    for (int i = 0; i < oldSlots.length; i++) {
      if (oldSlots[i] == 0) continue;
      int slot = slot(oldKeys[i]);
      while (slots[slot] != 0) slot = (slot + 1) & slots.length - 1;
      keys[slot] = oldKeys[i];
      slots[slot] = oldSlots[i];
    }
  }
}
