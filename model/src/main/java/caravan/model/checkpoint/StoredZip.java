package caravan.model.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.fs.FSDataInputStream;

/**
 * Where the files of an uncompressed zip archive lie in it, so that they can be read in place from
 * any file system (PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3; archives beyond 4 GB by their
 * zip64 records). PyTorch writes its files so.
 */
final class StoredZip {

  /** A file's bytes in the archive. */
  record Extent(long begin, long length) {}

  static final int MAGIC = 0x04034b50;
  private static final int DIRECTORY_ENTRY = 0x02014b50;
  private static final int END = 0x06054b50;
  private static final int END_ZIP64 = 0x06064b50;
  private static final int LOCATOR_ZIP64 = 0x07064b50;
  private static final int END_BYTES = 22;
  private static final int LOCATOR_BYTES = 20;
  private static final int MAX_COMMENT = 0xffff;
  private static final int MAX_DIRECTORY_BYTES = 100_000_000;
  private static final int ENTRY_BYTES = 46;
  private static final int LOCAL_BYTES = 30;
  private static final int ZIP64 = 1;

  private final String path;
  private final FSDataInputStream in;
  private final long size;

  private StoredZip(String path, FSDataInputStream in, long size) {
    this.path = path;
    this.in = in;
    this.size = size;
  }

  /**
   * @return the archive's files by name, in its order
   * @throws IllegalArgumentException when the archive is truncated, compressed or contradicts
   *     itself
   */
  static Map<String, Extent> entries(String path, FSDataInputStream in, long size)
      throws IOException {
    return new StoredZip(path, in, size).entries();
  }

  private Map<String, Extent> entries() throws IOException {
    ByteBuffer directory = directory();
    Map<String, Extent> entries = new LinkedHashMap<>();
    while (directory.hasRemaining()) {
      if (directory.remaining() < ENTRY_BYTES || directory.getInt() != DIRECTORY_ENTRY) {
        throw damaged("its directory is damaged at byte " + directory.position());
      }
      directory.position(directory.position() - Integer.BYTES);
      entry(directory, entries);
    }
    return entries;
  }

  private void entry(ByteBuffer directory, Map<String, Extent> entries) throws IOException {
    int start = directory.position();
    int method = directory.getShort(start + 10);
    long length = Integer.toUnsignedLong(directory.getInt(start + 24));
    int nameBytes = Short.toUnsignedInt(directory.getShort(start + 28));
    int extraBytes = Short.toUnsignedInt(directory.getShort(start + 30));
    int commentBytes = Short.toUnsignedInt(directory.getShort(start + 32));
    long header = Integer.toUnsignedLong(directory.getInt(start + 42));
    if (directory.remaining() < ENTRY_BYTES + nameBytes + extraBytes + commentBytes) {
      throw damaged("its directory ends within an entry");
    }
    byte[] name = new byte[nameBytes];
    directory.get(start + ENTRY_BYTES, name);
    ByteBuffer extra = directory.slice(start + ENTRY_BYTES + nameBytes, extraBytes);
    ByteBuffer wide = zip64(extra.order(ByteOrder.LITTLE_ENDIAN));
    length = wide(length, wide);
    // The compressed size, which equals the other one, stands between them.
    wide(Integer.toUnsignedLong(directory.getInt(start + 20)), wide);
    header = wide(header, wide);
    directory.position(start + ENTRY_BYTES + nameBytes + extraBytes + commentBytes);
    String text = new String(name, StandardCharsets.UTF_8);
    if (method != 0) {
      throw damaged(text + " is compressed (method " + method + "), wanted stored files");
    }
    if (entries.put(text, new Extent(data(text, header, length), length)) != null) {
      throw damaged("two files are named " + text);
    }
  }

  /** The zip64 field among an entry's extra fields; empty where there is none. */
  private static ByteBuffer zip64(ByteBuffer extra) {
    while (extra.remaining() >= 4) {
      int id = extra.getShort();
      int bytes = Math.min(Short.toUnsignedInt(extra.getShort()), extra.remaining());
      if (id == ZIP64) {
        return extra.slice(extra.position(), bytes).order(ByteOrder.LITTLE_ENDIAN);
      }
      extra.position(extra.position() + bytes);
    }
    return ByteBuffer.allocate(0);
  }

  /** A 32-bit number of all ones stands for the next one of the zip64 field. */
  private long wide(long narrow, ByteBuffer zip64) {
    if (narrow != 0xffffffffL) {
      return narrow;
    }
    if (zip64.remaining() < Long.BYTES) {
      throw damaged("a zip64 number is missing");
    }
    return zip64.getLong();
  }

  /** A file's first byte, which its local header tells: padding aligns it. */
  private long data(String name, long header, long length) throws IOException {
    if (header < 0 || header > size - LOCAL_BYTES) {
      throw damaged(name + " begins at byte " + header);
    }
    ByteBuffer local = read(header, LOCAL_BYTES);
    if (local.getInt() != MAGIC) {
      throw damaged("no file begins at byte " + header + ", where " + name + " should");
    }
    long begin =
        header
            + LOCAL_BYTES
            + Short.toUnsignedInt(local.getShort(26))
            + Short.toUnsignedInt(local.getShort(28));
    if (length < 0 || length > size - begin) {
      throw damaged(name + " wants " + length + " bytes from byte " + begin);
    }
    return begin;
  }

  private ByteBuffer directory() throws IOException {
    int tail = (int) Math.min(size, END_BYTES + MAX_COMMENT);
    ByteBuffer last = read(size - tail, tail);
    int at = tail - END_BYTES;
    while (at >= 0 && last.getInt(at) != END) {
      at--;
    }
    if (at < 0) {
      throw damaged("the directory at the end of a zip archive is missing");
    }
    long bytes = Integer.toUnsignedLong(last.getInt(at + 12));
    long begin = Integer.toUnsignedLong(last.getInt(at + 16));
    long end = size - tail + at;
    if (end >= LOCATOR_BYTES) {
      ByteBuffer locator = read(end - LOCATOR_BYTES, LOCATOR_BYTES);
      if (locator.getInt() == LOCATOR_ZIP64) {
        ByteBuffer wide = read(locator.getLong(8), 56);
        if (wide.getInt() != END_ZIP64) {
          throw damaged("its zip64 directory is not where it should be");
        }
        bytes = wide.getLong(40);
        begin = wide.getLong(48);
      }
    }
    if (bytes > MAX_DIRECTORY_BYTES) {
      throw damaged("a directory of " + bytes + " bytes");
    }
    return read(begin, bytes);
  }

  private ByteBuffer read(long from, long bytes) throws IOException {
    if (from < 0 || bytes < 0 || from > size - bytes) {
      throw damaged(bytes + " bytes are wanted from byte " + from);
    }
    byte[] array = new byte[(int) bytes];
    in.readFully(from, array);
    return ByteBuffer.wrap(array).order(ByteOrder.LITTLE_ENDIAN);
  }

  private IllegalArgumentException damaged(String what) {
    return new IllegalArgumentException(
        "%s: %s in a file of %,d bytes: truncated or damaged; copy or download it again"
            .formatted(path, what, size));
  }
}
