package caravan.model.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** The bytes of a pickle; every length in them is compared with what is left. */
final class PickleInput {
  private final ByteBuffer in;
  private final String where;
  private int at;

  PickleInput(byte[] pickle, String where) {
    this.in = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
    this.where = where;
  }

  /** The next operation; messages name its place until the next one. */
  int operation() {
    at = in.position();
    return unsigned();
  }

  /** A little-endian number with sign, of at most eight bytes. */
  long number(int bytes) {
    if (bytes > Long.BYTES) {
      throw wrong("a number of " + bytes + " bytes, wanted at most 8");
    }
    byte[] little = array(bytes);
    long value = bytes == 0 || little[bytes - 1] >= 0 ? 0 : -1;
    for (int i = bytes - 1; i >= 0; i--) {
      value = value << 8 | little[i] & 0xff;
    }
    return value;
  }

  String text(int length) {
    return new String(array(length), StandardCharsets.UTF_8);
  }

  byte[] array(int length) {
    byte[] bytes = new byte[need(length)];
    in.get(bytes);
    return bytes;
  }

  void skip(int length) {
    array(length);
  }

  double bigEndianDouble() {
    return ByteBuffer.wrap(array(Double.BYTES)).getDouble();
  }

  int unsignedShort() {
    need(Short.BYTES);
    return Short.toUnsignedInt(in.getShort());
  }

  int unsigned() {
    need(1);
    return Byte.toUnsignedInt(in.get());
  }

  /** A length without sign in four or eight bytes. */
  int length(int bytes) {
    need(bytes);
    long length = bytes == 4 ? Integer.toUnsignedLong(in.getInt()) : in.getLong();
    if (length < 0 || length > Integer.MAX_VALUE) {
      throw wrong("a length of " + Long.toUnsignedString(length));
    }
    return (int) length;
  }

  /** Text up to the end of the line, which is taken too. */
  String line() {
    int start = in.position();
    int end = start;
    while (end < in.limit() && in.get(end) != '\n') {
      end++;
    }
    String line = text(end - start);
    unsigned();
    return line;
  }

  private int need(int bytes) {
    if (bytes > in.remaining()) {
      throw wrong("wants " + bytes + " bytes, " + in.remaining() + " are left: truncated");
    }
    return bytes;
  }

  IllegalArgumentException wrong(String what) {
    return new IllegalArgumentException("%s, byte %d: %s".formatted(where, at, what));
  }
}
