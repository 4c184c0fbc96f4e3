package caravan.pipeline.tokenize;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * As much of Protocol Buffers' wire format as a SentencePiece model needs: varints, 32-bit values
 * and length-delimited fields.
 */
final class Protobuf {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;

  private Protobuf() {}

  /** Walks over the fields of one message. */
  static final class Reader {
    private final byte[] bytes;
    private final int end;
    private int position;
    private int wireType;

    Reader(byte[] bytes) {
      this(bytes, 0, bytes.length);
    }

    private Reader(byte[] bytes, int start, int end) {
      this.bytes = bytes;
      this.position = start;
      this.end = end;
    }

    /** Another reader from where this one stands. */
    Reader copy() {
      return new Reader(bytes, position, end);
    }

    boolean hasNext() {
      return position < end;
    }

    /** Reads a tag and returns its field number; the field's value must be read or skipped next. */
    int field() {
      long tag = varint();
      wireType = (int) (tag & 7);
      return (int) (tag >>> 3);
    }

    long integer() {
      expect(VARINT);
      return varint();
    }

    boolean bool() {
      return integer() != 0;
    }

    float float32() {
      expect(FIXED32);
      require(4);
      int bits = 0;
      for (int i = 0; i < 4; i++) bits |= (bytes[position++] & 0xFF) << (8 * i);
      return Float.intBitsToFloat(bits);
    }

    String string() {
      Reader value = message();
      return new String(bytes, value.position, value.end - value.position, StandardCharsets.UTF_8);
    }

    Reader message() {
      expect(BYTES);
      long length = varint();
      require(length);
      Reader value = new Reader(bytes, position, position + (int) length);
      position = value.end;
      return value;
    }

    /** All bytes from here to the message's end. */
    byte[] rest() {
      return Arrays.copyOfRange(bytes, position, end);
    }

    void skip() {
      switch (wireType) {
        case VARINT -> varint();
        case FIXED64 -> advance(8);
        case BYTES -> advance(varint());
        case FIXED32 -> advance(4);
        default -> throw new IllegalArgumentException("unknown wire type " + wireType);
      }
    }

    private void advance(long count) {
      require(count);
      position += (int) count;
    }

    private void expect(int wanted) {
      if (wireType != wanted) {
        throw new IllegalArgumentException("wire type " + wireType + " where " + wanted + " fits");
      }
    }

    private void require(long count) {
      if (count < 0 || count > end - position) {
        throw new IllegalArgumentException(
            "a field of " + count + " bytes with " + (end - position) + " bytes left");
      }
    }

    private long varint() {
      long value = 0;
      for (int shift = 0; shift < 64; shift += 7) {
        require(1);
        byte b = bytes[position++];
        value |= (long) (b & 0x7F) << shift;
        if (b >= 0) return value;
      }
      throw new IllegalArgumentException("an integer of more than 10 bytes");
    }
  }

  /** Builds one message. */
  static final class Writer {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    Writer integer(int field, long value) {
      tag(field, VARINT);
      varint(value);
      return this;
    }

    Writer bool(int field, boolean value) {
      return integer(field, value ? 1 : 0);
    }

    Writer float32(int field, float value) {
      tag(field, FIXED32);
      int bits = Float.floatToIntBits(value);
      for (int i = 0; i < 4; i++) bytes.write(bits >>> (8 * i));
      return this;
    }

    Writer string(int field, String value) {
      return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Writer bytes(int field, byte[] value) {
      tag(field, BYTES);
      varint(value.length);
      bytes.write(value, 0, value.length);
      return this;
    }

    byte[] toBytes() {
      return bytes.toByteArray();
    }

    private void tag(int field, int wireType) {
      varint((long) field << 3 | wireType);
    }

    private void varint(long value) {
      long rest = value;
      while ((rest & ~0x7FL) != 0) {
        bytes.write((int) (rest & 0x7F | 0x80));
        rest >>>= 7;
      }
      bytes.write((int) rest);
    }
  }
}
