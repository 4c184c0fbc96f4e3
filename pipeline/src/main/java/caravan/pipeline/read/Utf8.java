package caravan.pipeline.read;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Whether bytes are UTF-8 as the Unicode Standard defines it (table 3-7): no overlong forms, no
 * surrogates.
 */
final class Utf8 {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long HIGH_BITS = 0x8080808080808080L;

  private Utf8() {}

  /** Where the first byte lies that does not belong to a character; -1 when all do. */
  static int firstInvalid(byte[] bytes, int from, int to) {
    int i = from;
    while (i < to) {
      if (bytes[i] >= 0) {
        i = endOfAscii(bytes, i, to);
        continue;
      }
      int length = length(bytes, i, to);
      if (length == 0) {
        return i;
      }
      i += length;
    }
    return -1;
  }

  private static int endOfAscii(byte[] bytes, int from, int to) {
    int i = from;
    while (i + Long.BYTES <= to && ((long) LONG.get(bytes, i) & HIGH_BITS) == 0) {
      i += Long.BYTES;
    }
    while (i < to && bytes[i] >= 0) {
      i++;
    }
    return i;
  }

  /** Bytes of the character of several bytes that begins here; 0 when none does. */
  private static int length(byte[] bytes, int i, int to) {
    int first = bytes[i] & 0xFF;
    int second = i + 1 < to ? bytes[i + 1] & 0xFF : 0;
    if (first >= 0xE1 && first <= 0xEF && first != 0xED) {
      return continues(second) && continues(bytes, i + 2, to) ? 3 : 0;
    }
    if (first >= 0xC2 && first <= 0xDF) {
      return continues(second) ? 2 : 0;
    }
    if (first == 0xE0 || first == 0xED) {
      boolean inRange = first == 0xE0 ? second >= 0xA0 : second < 0xA0;
      return inRange && continues(second) && continues(bytes, i + 2, to) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
      boolean inRange = first == 0xF0 ? second >= 0x90 : first < 0xF4 || second < 0x90;
      boolean whole = continues(bytes, i + 2, to) && continues(bytes, i + 3, to);
      return inRange && continues(second) && whole ? 4 : 0;
    }
    return 0;
  }

  private static boolean continues(byte[] bytes, int i, int to) {
    return i < to && continues(bytes[i]);
  }

  private static boolean continues(int b) {
    return (b & 0xC0) == 0x80;
  }
}
