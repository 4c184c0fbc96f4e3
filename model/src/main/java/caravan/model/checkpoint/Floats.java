package caravan.model.checkpoint;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.bytedeco.javacpp.FloatPointer;

/** Copies between off-heap floats, arrays and little-endian streams. */
final class Floats {
  private static final int CHUNK_FLOATS = 1 << 18;

  private Floats() {}

  /** Copies {@code from[first, first + count)} to {@code to[offset, offset + count)}. */
  static void put(FloatPointer to, long offset, float[] from, int first, int count) {
    FloatPointer target = to.getPointer(offset);
    target.put(from, first, count);
  }

  /** Copies {@code from[offset, offset + count)} to {@code to[0, count)}. */
  static void get(FloatPointer from, long offset, float[] to, int count) {
    FloatPointer source = from.getPointer(offset);
    source.get(to, 0, count);
  }

  /** Copies {@code from[fromOffset, fromOffset + count)} to {@code to[toOffset, …)}. */
  static void copy(FloatPointer from, long fromOffset, FloatPointer to, long toOffset, long count) {
    float[] chunk = new float[(int) Math.min(CHUNK_FLOATS, count)];
    for (long done = 0; done < count; done += chunk.length) {
      int n = (int) Math.min(chunk.length, count - done);
      get(from, fromOffset + done, chunk, n);
      put(to, toOffset + done, chunk, 0, n);
    }
  }

  /** Whether two ranges hold the same bits. */
  static boolean equal(FloatPointer a, long aOffset, FloatPointer b, long bOffset, long count) {
    float[] left = new float[(int) Math.min(CHUNK_FLOATS, count)];
    float[] right = new float[left.length];
    for (long done = 0; done < count; done += left.length) {
      int n = (int) Math.min(left.length, count - done);
      get(a, aOffset + done, left, n);
      get(b, bOffset + done, right, n);
      if (!Arrays.equals(left, 0, n, right, 0, n)) {
        return false;
      }
    }
    return true;
  }

  /** Writes {@code from[offset, offset + count)} as little-endian floats. */
  static void write(OutputStream out, FloatPointer from, long offset, long count)
      throws IOException {
    float[] floats = new float[(int) Math.min(CHUNK_FLOATS, count)];
    byte[] bytes = new byte[floats.length * Float.BYTES];
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (long done = 0; done < count; done += floats.length) {
      int n = (int) Math.min(floats.length, count - done);
      get(from, offset + done, floats, n);
      buffer.asFloatBuffer().put(floats, 0, n);
      out.write(bytes, 0, n * Float.BYTES);
    }
  }
}
