package caravan.pipeline.read;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/**
 * A stream seen through a buffer that moves along, and grows while a record is being read so that
 * it lies there in one piece. Of a record that grows beyond the bound only the head is kept.
 */
final class ByteWindow implements Closeable {
  private static final int INITIAL = 1 << 17;

  /** Kept of a record that is too long, to be shown. */
  private static final int HEAD = 1 << 16;

  private final InputStream in;
  private final int maxRecordBytes;

  byte[] bytes = new byte[INITIAL];

  /** The next byte to look at. */
  int at;

  /** Behind the last byte that is here. */
  int limit;

  private int record = -1;
  private long before;
  private byte[] head = new byte[0];
  private boolean tooLong;

  ByteWindow(InputStream in, int maxRecordBytes) {
    this.in = in;
    this.maxRecordBytes = maxRecordBytes;
  }

  /** Bytes of the stream before the next one. */
  long offset() {
    return before + at;
  }

  /** From here on bytes are kept. */
  void beginRecord() {
    record = at;
    tooLong = false;
  }

  /** Whether the record begun last grew beyond the bound; then only its head is known. */
  boolean tooLong() {
    return tooLong;
  }

  /** The record begun last, up to the next byte; its head when it is too long. */
  byte[] record() {
    return tooLong ? head : Arrays.copyOfRange(bytes, record, at);
  }

  /** Where the record begun last begins in {@link #bytes}; it ends before {@link #at}. */
  int recordStart() {
    return record;
  }

  /** The next byte, unsigned; -1 at the end. */
  int peek() throws IOException {
    return at < limit || fill() ? bytes[at] & 0xFF : -1;
  }

  /** The byte after {@code ahead} others, unsigned; -1 behind the end. */
  int peek(int ahead) throws IOException {
    while (at + ahead >= limit) {
      if (!fill()) {
        return -1;
      }
    }
    return bytes[at + ahead] & 0xFF;
  }

  /** Gets more bytes; false at the end. */
  boolean fill() throws IOException {
    if (limit == bytes.length) {
      makeRoom();
    }
    int count = in.read(bytes, limit, bytes.length - limit);
    limit += Math.max(0, count);
    return count >= 0;
  }

  private void makeRoom() {
    int from = record >= 0 ? record : at;
    if (limit - from >= maxRecordBytes && record >= 0) {
      head = Arrays.copyOfRange(bytes, record, Math.min(record + HEAD, limit));
      tooLong = true;
      record = -1;
      byte[] rest = Arrays.copyOfRange(bytes, at, limit);
      before += at;
      bytes = Arrays.copyOf(rest, Math.max(INITIAL, 2 * rest.length));
      at = 0;
      limit = rest.length;
      return;
    }
    if (from > 0) {
      System.arraycopy(bytes, from, bytes, 0, limit - from);
      before += from;
      at -= from;
      limit -= from;
      record = record >= 0 ? 0 : -1;
    }
    if (limit > bytes.length / 2) {
      long doubled = Math.min(2L * bytes.length, Integer.MAX_VALUE - 16);
      bytes = Arrays.copyOf(bytes, (int) doubled);
    }
  }

  /** Bytes before this one need not be kept any more. */
  void endRecord() {
    record = -1;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
