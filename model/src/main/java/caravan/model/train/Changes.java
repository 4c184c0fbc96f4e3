package caravan.model.train;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * What a round changed of a slice of the parameters, in 16 bits each, behind the factor by which
 * they were multiplied before.
 *
 * @param now the parameters at the round's end
 * @param start the same ones at its start
 * @param count of them
 */
record Changes(BytePointer now, BytePointer start, int count, ExchangePrecision precision)
    implements Piece.Content {
  private static final int CHUNK = 1 << 14;

  @Override
  public int length() {
    return Float.BYTES + Short.BYTES * count;
  }

  @Override
  public void writeTo(OutputStream out) throws IOException {
    float[] changes = new float[Math.min(CHUNK, count)];
    float[] before = new float[changes.length];
    float largest = 0;
    for (int at = 0; at < count; at += CHUNK) {
      int length = read(at, changes, before);
      for (int i = 0; i < length; i++) {
        largest = Math.max(largest, Math.abs(changes[i]));
      }
    }
    float scale = precision.scale(largest);
    ByteBuffer bytes = ByteBuffer.allocate(length()).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putFloat(scale);
    for (int at = 0; at < count; at += CHUNK) {
      int length = read(at, changes, before);
      for (int i = 0; i < length; i++) {
        bytes.putShort(precision.encode(changes[i] * scale));
      }
    }
    out.write(bytes.array());
  }

  private int read(int at, float[] changes, float[] before) {
    int length = Math.min(CHUNK, count - at);
    long offset = (long) at * Float.BYTES;
    new FloatPointer(now.getPointer(BytePointer.class, offset)).get(changes, 0, length);
    new FloatPointer(start.getPointer(BytePointer.class, offset)).get(before, 0, length);
    for (int i = 0; i < length; i++) {
      changes[i] -= before[i];
    }
    return length;
  }

  /** The changes that arrived, as little-endian floats. */
  static byte[] decode(byte[] arrived, ExchangePrecision precision) {
    ByteBuffer in = ByteBuffer.wrap(arrived).order(ByteOrder.LITTLE_ENDIAN);
    float factor = 1 / in.getFloat();
    byte[] floats = new byte[in.remaining() / Short.BYTES * Float.BYTES];
    ByteBuffer out = ByteBuffer.wrap(floats).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      out.putFloat(precision.decode(in.getShort()) * factor);
    }
    return floats;
  }
}
