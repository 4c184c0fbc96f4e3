package caravan.model.train;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;

/**
 * Copies between streams and memory, in pieces that stay in a processor's cache: the JDK's file
 * streams copy what they are given through a buffer as large.
 */
final class RawBytes {
  private static final int CHUNK = 1 << 16;

  private RawBytes() {}

  /** Fills an array from a stream. */
  static void read(InputStream in, byte[] bytes) throws IOException {
    for (int at = 0; at < bytes.length; ) {
      at += some(in, bytes, at, Math.min(CHUNK, bytes.length - at));
    }
  }

  /** Fills memory from a stream. */
  static void read(InputStream in, BytePointer memory, int length) throws IOException {
    byte[] chunk = new byte[Math.min(CHUNK, length)];
    for (int at = 0; at < length; ) {
      int read = some(in, chunk, 0, Math.min(CHUNK, length - at));
      memory.getPointer(BytePointer.class, at).put(chunk, 0, read);
      at += read;
    }
  }

  private static int some(InputStream in, byte[] bytes, int at, int length) throws IOException {
    int read = in.read(bytes, at, length);
    if (read < 0) {
      throw new EOFException("a slice of the model ends early");
    }
    return read;
  }

  /** The same bytes in pieces. */
  static ByteBuffer[] chunks(ByteBuffer bytes) {
    ByteBuffer[] chunks = new ByteBuffer[(bytes.remaining() + CHUNK - 1) / CHUNK];
    for (int i = 0; i < chunks.length; i++) {
      int from = bytes.position() + i * CHUNK;
      chunks[i] = bytes.slice(from, Math.min(CHUNK, bytes.limit() - from));
    }
    return chunks;
  }

  /** Writes memory to a stream. */
  static void write(BytePointer memory, int length, OutputStream out) throws IOException {
    byte[] chunk = new byte[Math.min(CHUNK, length)];
    for (int at = 0; at < length; at += chunk.length) {
      int count = Math.min(chunk.length, length - at);
      memory.getPointer(BytePointer.class, at).get(chunk, 0, count);
      out.write(chunk, 0, count);
    }
  }
}
