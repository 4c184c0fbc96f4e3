package caravan.pipeline.dedup;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Comparator;

/**
 * What {@link Entries} are made of: two numbers and some bytes.
 *
 * @param first what entries meet by, and are sorted by first
 * @param second sorted by next
 * @param payload sorted by last, as unsigned bytes
 */
record Entry(long first, long second, byte[] payload) {
  static final Comparator<Entry> ORDER =
      (a, b) -> {
        int order = Long.compare(a.first, b.first);
        order = order != 0 ? order : Long.compare(a.second, b.second);
        return order != 0 ? order : Arrays.compareUnsigned(a.payload, b.payload);
      };

  /** Bytes of an entry as it is stored, but for its payload. */
  static final int HEADER_BYTES = 2 * Long.BYTES + Integer.BYTES;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
  private static final byte[] NOTHING = {};

  Entry(long first, long second) {
    this(first, second, NOTHING);
  }

  int bytes() {
    return HEADER_BYTES + payload.length;
  }

  /** Writes the entry into a block; returns where the next one goes. */
  int write(byte[] block, int at) {
    putLong(block, at, first);
    putLong(block, at + 8, second);
    INT.set(block, at + 16, payload.length);
    System.arraycopy(payload, 0, block, at + HEADER_BYTES, payload.length);
    return at + bytes();
  }

  static Entry read(byte[] block, int at) {
    int from = at + HEADER_BYTES;
    return new Entry(
        getLong(block, at),
        getLong(block, at + 8),
        Arrays.copyOfRange(block, from, from + payloadBytes(block, at)));
  }

  static int payloadBytes(byte[] block, int at) {
    return (int) INT.get(block, at + 16);
  }

  static long getLong(byte[] bytes, int at) {
    return (long) LONG.get(bytes, at);
  }

  static void putLong(byte[] bytes, int at, long value) {
    LONG.set(bytes, at, value);
  }

  /** Numbers as payload; in their own order as long as they are not negative. */
  static byte[] pack(long... values) {
    byte[] bytes = new byte[values.length * Long.BYTES];
    for (int i = 0; i < values.length; i++) {
      putLong(bytes, i * Long.BYTES, values[i]);
    }
    return bytes;
  }

  static long[] unpack(byte[] bytes) {
    long[] values = new long[bytes.length / Long.BYTES];
    for (int i = 0; i < values.length; i++) {
      values[i] = getLong(bytes, i * Long.BYTES);
    }
    return values;
  }
}
