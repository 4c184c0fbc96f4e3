package caravan.pipeline.shard;

import caravan.pipeline.Storage;
import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;

/**
 * Reads one shard by position. A local shard is mapped into memory; one on another file system is
 * copied to a temporary file first, which {@link #close} deletes. Thread-safe until closed.
 */
public final class ShardReader implements Closeable {
  /** Bytes per mapping: a Java mapping ends at 2 GiB, and tokens must not straddle two. */
  private static final int SEGMENT_BITS = 30;

  private final Shard shard;
  private final TokenType dtype;
  private final Path temporary;
  private final ByteBuffer[] segments;
  private final long[] bounds;

  /**
   * Opens a shard.
   *
   * @param directory the token shards' directory, where the manifest lies
   * @throws IllegalArgumentException if a file is missing, or its size is not what the manifest
   *     says
   */
  public ShardReader(
      Configuration conf, org.apache.hadoop.fs.Path directory, Shard shard, TokenType dtype) {
    this.shard = shard;
    this.dtype = dtype;
    Storage storage = new Storage(conf);
    org.apache.hadoop.fs.Path file =
        storage.qualify(new org.apache.hadoop.fs.Path(directory, shard.tokensPath()));
    requireSize(storage, file, shard.tokens(), dtype.bytes(), "tokens");
    org.apache.hadoop.fs.Path boundsFile =
        storage.qualify(new org.apache.hadoop.fs.Path(directory, shard.boundsPath()));
    requireSize(storage, boundsFile, shard.documents(), Long.BYTES, "document bounds");
    bounds = new long[Math.toIntExact(shard.documents())];
    ByteBuffer.wrap(storage.read(boundsFile))
        .order(ByteOrder.LITTLE_ENDIAN)
        .asLongBuffer()
        .get(bounds);
    try {
      boolean local = file.toUri().getScheme().equals("file");
      temporary = local ? null : copy(storage, file);
      segments = map(local ? Path.of(file.toUri().getPath()) : temporary);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read it", e);
    }
  }

  /** Number of tokens, BOS and EOS included. */
  public long tokens() {
    return shard.tokens();
  }

  /** Number of documents. */
  public int documents() {
    return bounds.length;
  }

  /** Position of a document's first token. */
  public long start(int document) {
    return document == 0 ? 0 : bounds[document - 1];
  }

  /** Position after a document's last token. */
  public long end(int document) {
    return bounds[document];
  }

  /**
   * Reads {@code into.length} ids from a position on.
   *
   * @throws IndexOutOfBoundsException if the shard does not hold that many there
   */
  public void read(long offset, int[] into) {
    read(offset, into, 0, into.length);
  }

  /** Reads {@code count} ids from a position on into {@code into}, from {@code start} on. */
  public void read(long offset, int[] into, int start, int count) {
    if (offset < 0 || offset + count > tokens()) {
      throw new IndexOutOfBoundsException(
          String.format(
              Locale.ROOT,
              "%s: tokens %,d to %,d wanted, it has %,d",
              shard.name(),
              offset,
              offset + count,
              tokens()));
    }
    for (int i = 0; i < count; i++) {
      long position = (offset + i) * dtype.bytes();
      ByteBuffer segment = segments[(int) (position >>> SEGMENT_BITS)];
      int inSegment = (int) (position & (1 << SEGMENT_BITS) - 1);
      into[start + i] =
          dtype == TokenType.UINT16
              ? Short.toUnsignedInt(segment.getShort(inSegment))
              : segment.getInt(inSegment);
    }
  }

  /** The ids of one document, with BOS and EOS. */
  public int[] document(int document) {
    int[] ids = new int[Math.toIntExact(end(document) - start(document))];
    read(start(document), ids);
    return ids;
  }

  @Override
  public void close() throws IOException {
    if (temporary != null) Files.deleteIfExists(temporary);
  }

  private void requireSize(
      Storage storage, org.apache.hadoop.fs.Path file, long wanted, int bytesEach, String what) {
    long bytes =
        storage
            .status(file)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        file + ": missing, the manifest lists it; re-run tokenize"))
            .getLen();
    if (bytes != wanted * bytesEach) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "shard %05d: %,d %s, manifest says %,d; re-run tokenize (%s, %,d bytes)",
              shard.index(),
              bytes / bytesEach,
              what,
              wanted,
              file,
              bytes));
    }
  }

  private static Path copy(Storage storage, org.apache.hadoop.fs.Path file) throws IOException {
    Path copy = Files.createTempFile("caravan-shard-", ".bin");
    try (InputStream in = storage.open(file)) {
      Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      Files.delete(copy);
      throw e;
    }
    return copy;
  }

  private static ByteBuffer[] map(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      long size = channel.size();
      long segment = 1L << SEGMENT_BITS;
      ByteBuffer[] segments = new ByteBuffer[(int) ((size + segment - 1) / segment)];
      for (int i = 0; i < segments.length; i++) {
        long length = Math.min(segment, size - i * segment);
        segments[i] =
            channel
                .map(FileChannel.MapMode.READ_ONLY, i * segment, length)
                .order(ByteOrder.LITTLE_ENDIAN);
      }
      return segments;
    }
  }
}
