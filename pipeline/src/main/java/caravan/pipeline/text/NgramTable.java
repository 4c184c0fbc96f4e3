package caravan.pipeline.text;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * N-grams of one order by hash: open addressing, eight bytes each. An entry holds 32 bits of the
 * hash, which with its place tell n-grams apart (a lookup of a missing one finds another's entry
 * about once in a billion times), and two costs in nats, quantized: of the probability in steps of
 * {@value #COST_STEP}, of backing off in steps of {@value #BACKOFF_STEP}. The layout does not
 * depend on the order of insertion (ordered hash tables, Amble and Knuth 1974), so equal models are
 * equal bytes.
 */
final class NgramTable implements Serializable {
  /** Largest cost that an entry holds: 32 nats. */
  static final double COST_STEP = 1.0 / 2048;

  /** Largest cost of backing off: 16 nats. */
  static final double BACKOFF_STEP = 1.0 / 4096;

  private static final double LOAD = 0.7;
  private static final int MAX_CODE = 0xFFFF;

  private final long[] slots;

  private NgramTable(long[] slots) {
    this.slots = slots;
  }

  /**
   * @param size n-grams that will be put
   */
  static NgramTable ofSize(int size) {
    return new NgramTable(new long[(int) (size / LOAD) + 2]);
  }

  /**
   * @param cost −ln of the probability
   * @param backoff −ln of the weight of shorter contexts after this n-gram
   */
  void put(long hash, double cost, double backoff) {
    long mixed = Words.mix(hash);
    long entry = fingerprint(mixed) | code(cost, COST_STEP) << 16 | code(backoff, BACKOFF_STEP);
    int slot = slot(mixed);
    while (slots[slot] != 0) {
      if (Long.compareUnsigned(entry, slots[slot]) < 0) {
        long displaced = slots[slot];
        slots[slot] = entry;
        entry = displaced;
      }
      slot = slot + 1 == slots.length ? 0 : slot + 1;
    }
    slots[slot] = entry;
  }

  private static long code(double nats, double step) {
    return Math.min(MAX_CODE, Math.max(0, Math.round(nats / step)));
  }

  /** What stands where the n-gram's entry would be best; for {@link #find}. */
  long first(long mixed) {
    return slots[slot(mixed)];
  }

  /**
   * The n-gram's entry; 0 when there is none.
   *
   * @param mixed {@link Words#mix} of its hash
   * @param first what {@link #first} found
   */
  long find(long mixed, long first) {
    if (first == 0 || (int) (first >>> 32) == (int) (fingerprint(mixed) >>> 32)) {
      return first;
    }
    return findFurther(mixed);
  }

  private long findFurther(long mixed) {
    int fingerprint = (int) (fingerprint(mixed) >>> 32);
    int slot = slot(mixed);
    long entry = slots[slot];
    while (entry != 0 && (int) (entry >>> 32) != fingerprint) {
      slot = slot + 1 == slots.length ? 0 : slot + 1;
      entry = slots[slot];
    }
    return entry;
  }

  /** −ln of the probability, in {@link #BACKOFF_STEP}s. */
  static int cost(long entry) {
    return ((int) entry >>> 16) << 1;
  }

  /** −ln of the backoff weight, in {@link #BACKOFF_STEP}s. */
  static int backoff(long entry) {
    return (int) entry & MAX_CODE;
  }

  private int slot(long mixed) {
    return (int) ((mixed >>> 32) * slots.length >>> 32);
  }

  /** Never 0, so that no entry is. */
  private static long fingerprint(long mixed) {
    long low = mixed & 0xFFFFFFFFL;
    return (low == 0 ? 1 : low) << 32;
  }

  /** Number of n-grams. */
  int size() {
    return (int) Arrays.stream(slots).filter(entry -> entry != 0).count();
  }

  void write(DataOutput out) throws IOException {
    out.writeInt(slots.length);
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    for (int i = 0; i < slots.length; i++) {
      buffer.putLong(slots[i]);
      if (!buffer.hasRemaining() || i + 1 == slots.length) {
        out.write(buffer.array(), 0, buffer.position());
        buffer.clear();
      }
    }
  }

  static NgramTable read(DataInput in) throws IOException {
    long[] slots = new long[in.readInt()];
    byte[] bytes = new byte[1 << 16];
    for (int i = 0; i < slots.length; ) {
      int longs = Math.min(bytes.length / Long.BYTES, slots.length - i);
      in.readFully(bytes, 0, longs * Long.BYTES);
      ByteBuffer.wrap(bytes, 0, longs * Long.BYTES).asLongBuffer().get(slots, i, longs);
      i += longs;
    }
    return new NgramTable(slots);
  }
}
