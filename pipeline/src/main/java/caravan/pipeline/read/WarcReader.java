package caravan.pipeline.read;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * The records of a WARC file (WARC/1.0 and 1.1, ISO 28500) from its decompressed bytes. Bytes that
 * belong to no record are reported, and the next record is looked for.
 */
final class WarcReader implements Closeable {
  /**
   * @param position of the record's first byte in the decompressed file
   * @param headers by name in lower case
   * @param payload whole, or the beginning when it is longer than the reader's maximum
   * @param length of the payload in the file
   * @param damage why it is no record; empty for a record
   */
  record Entry(
      long position, Map<String, String> headers, byte[] payload, long length, String damage) {

    /** A header's value, empty without one. */
    String header(String name) {
      return headers.getOrDefault(name, "");
    }
  }

  /** What is kept of a payload that is too long. */
  private static final int SHOWN_BYTES = 4096;

  /** Of longer lines the beginning is looked at. */
  private static final int LONGEST_LINE = 1 << 16;

  private final InputStream in;
  private final long maxPayload;
  private final byte[] buffer = new byte[1 << 16];
  private int at;
  private int limit;

  /** Position of {@code buffer[at]}. */
  private long position;

  private String line;
  private long lineStart;

  /** Whether {@link #line} was read ahead. */
  private boolean ahead;

  /**
   * @param maxPayload bytes
   */
  WarcReader(InputStream in, long maxPayload) {
    this.in = in;
    this.maxPayload = maxPayload;
  }

  /**
   * The next record, or what is none; null at the end.
   *
   * @throws EOFException when the file ends inside of a record
   */
  Entry next() throws IOException {
    do {
      nextLine();
    } while (line != null && line.isEmpty());
    if (line == null) {
      return null;
    }
    long start = lineStart;
    if (!line.startsWith("WARC/")) {
      return noRecord(start);
    }
    Map<String, String> headers = headers(start);
    String declared = headers.getOrDefault("content-length", "");
    if (!declared.matches("\\d{1,18}")) {
      String damage =
          "record at byte %,d has Content-Length \"%s\", wanted a number"
              .formatted(start, declared);
      return new Entry(start, headers, new byte[0], 0, damage);
    }
    long length = Long.parseLong(declared);
    byte[] payload =
        payload(
            start, length, (int) (length <= maxPayload ? length : Math.min(length, SHOWN_BYTES)));
    return new Entry(start, headers, payload, length, "");
  }

  private Entry noRecord(long start) throws IOException {
    String first = line.substring(0, Math.min(80, line.length()));
    while (line != null && !line.startsWith("WARC/")) {
      nextLine();
    }
    ahead = line != null;
    String damage =
        "%,d bytes at byte %,d begin no record, wanted WARC/1.0 or 1.1: \"%s\""
            .formatted((ahead ? lineStart : position) - start, start, first);
    return new Entry(start, Map.of(), new byte[0], 0, damage);
  }

  private Map<String, String> headers(long start) throws IOException {
    Map<String, String> headers = new TreeMap<>();
    String name = "";
    for (nextLine(); line == null || !line.isEmpty(); nextLine()) {
      if (line == null) {
        throw cutOff(start, "its header");
      }
      int colon = line.indexOf(':');
      if (line.charAt(0) == ' ' || line.charAt(0) == '\t') {
        headers.computeIfPresent(name, (n, value) -> value + " " + line.strip());
      } else if (colon > 0) {
        name = line.substring(0, colon).strip().toLowerCase(Locale.ROOT);
        headers.put(name, line.substring(colon + 1).strip());
      }
    }
    return headers;
  }

  private byte[] payload(long start, long length, int kept) throws IOException {
    byte[] payload = new byte[kept];
    long read = 0;
    while (read < length) {
      if (!fill()) {
        throw cutOff(start, "%,d of %,d bytes".formatted(read, length));
      }
      int count = (int) Math.min(limit - at, length - read);
      if (read < kept) {
        System.arraycopy(buffer, at, payload, (int) read, (int) Math.min(count, kept - read));
      }
      at += count;
      position += count;
      read += count;
    }
    return payload;
  }

  private static EOFException cutOff(long start, String where) {
    return new EOFException("the record at byte %,d ends after %s".formatted(start, where));
  }

  /** Goes to the next line; null at the end. */
  private void nextLine() throws IOException {
    if (ahead) {
      ahead = false;
      return;
    }
    lineStart = position;
    byte[] bytes = new byte[128];
    int length = 0;
    boolean ended = false;
    while (!ended && fill()) {
      byte b = buffer[at++];
      position++;
      ended = b == '\n';
      if (!ended && length < LONGEST_LINE) {
        bytes = length == bytes.length ? Arrays.copyOf(bytes, 2 * length) : bytes;
        bytes[length++] = b;
      }
    }
    length -= length > 0 && bytes[length - 1] == '\r' ? 1 : 0;
    boolean any = ended || length > 0;
    line = any ? new String(bytes, 0, length, StandardCharsets.UTF_8) : null;
  }

  private boolean fill() throws IOException {
    if (at == limit) {
      at = 0;
      limit = Math.max(0, in.read(buffer, 0, buffer.length));
    }
    return limit > 0;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
