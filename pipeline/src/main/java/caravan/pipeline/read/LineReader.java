package caravan.pipeline.read;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** Lines of bytes, ended by LF or CR LF, with their positions. A byte order mark is left out. */
final class LineReader implements Closeable {
  /** What is kept of a line that is longer than the maximum. */
  private static final int SHOWN_BYTES = 4096;

  private final InputStream in;
  private final int maxBytes;
  private final byte[] buffer = new byte[1 << 17];
  private int at;
  private int limit;
  private long nextPosition;
  private long position;
  private byte[] collected = new byte[0];
  private byte[] line = collected;
  private long cutBytes;

  /**
   * @param position of the stream's first byte in the file
   * @param maxBytes of longer lines only the beginning is kept
   */
  LineReader(InputStream in, long position, int maxBytes) {
    this.in = in;
    this.nextPosition = position;
    this.maxBytes = maxBytes;
  }

  /** Goes to the next line; false at the end. */
  boolean next() throws IOException {
    position = nextPosition;
    cutBytes = 0;
    int length = 0;
    boolean any = false;
    boolean ended = false;
    while (!ended && fill()) {
      any = true;
      int end = at;
      while (end < limit && buffer[end] != '\n') {
        end++;
      }
      ended = end < limit;
      length = collect(length, end);
      nextPosition += end - at + (ended ? 1 : 0);
      at = end + (ended ? 1 : 0);
    }
    boolean marked =
        position == 0
            && length >= 3
            && collected[0] == (byte) 0xEF
            && collected[1] == (byte) 0xBB
            && collected[2] == (byte) 0xBF;
    if (length > 0 && cutBytes == 0 && ended && collected[length - 1] == '\r') {
      length--;
    }
    line = Arrays.copyOfRange(collected, marked ? 3 : 0, length);
    if (cutBytes > 0) {
      collected = new byte[0];
    }
    return any;
  }

  private boolean fill() throws IOException {
    if (at < limit) {
      return true;
    }
    at = 0;
    limit = Math.max(0, in.read(buffer, 0, buffer.length));
    return limit > 0;
  }

  /** Adds the buffer up to {@code end} to the line; returns its new length. */
  private int collect(int length, int end) {
    int bytes = end - at;
    if (cutBytes > 0 || (long) length + bytes > maxBytes) {
      int shown = Math.min(length, SHOWN_BYTES);
      cutBytes += length - shown + bytes;
      return shown;
    }
    if (length + bytes > collected.length) {
      long doubled = Math.max(length + bytes, Math.min(2L * collected.length, maxBytes));
      collected = Arrays.copyOf(collected, (int) Math.max(doubled, 1 << 12));
    }
    System.arraycopy(buffer, at, collected, length, bytes);
    return length + bytes;
  }

  /** The line without its line break; a new array each time. */
  byte[] line() {
    return line;
  }

  /** Bytes that the line has beyond {@link #line}: 0 unless it is longer than the maximum. */
  long cutBytes() {
    return cutBytes;
  }

  /** Bytes of the file before the line. */
  long position() {
    return position;
  }

  /** Bytes of the file before the line that {@link #next} goes to. */
  long nextPosition() {
    return nextPosition;
  }

  boolean isBlank() {
    for (byte b : line) {
      if (b != ' ' && b != '\t' && b != '\r') {
        return false;
      }
    }
    return cutBytes == 0;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
