package caravan.pipeline.text;

import java.io.Serializable;

/** Hashes that one can ask for; open addressing. */
public final class LongSet implements Serializable {
  private final long[] slots;
  private final int mask;
  private final boolean zero;
  private final int size;

  /**
   * @param values each once
   */
  public LongSet(long[] values) {
    slots = new long[Integer.highestOneBit(Math.max(4, values.length)) << 2];
    mask = slots.length - 1;
    size = values.length;
    boolean hasZero = false;
    for (long value : values) {
      hasZero |= value == 0;
      int slot = (int) Words.mix(value) & mask;
      while (slots[slot] != 0) {
        slot = slot + 1 & mask;
      }
      slots[slot] = value;
    }
    zero = hasZero;
  }

  public boolean contains(long value) {
    if (value == 0) {
      return zero;
    }
    int slot = (int) Words.mix(value) & mask;
    while (slots[slot] != 0 && slots[slot] != value) {
      slot = slot + 1 & mask;
    }
    return slots[slot] != 0;
  }

  public int size() {
    return size;
  }
}
