package caravan.pipeline.shard;

import caravan.pipeline.Storage;
import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;

/**
 * Reads one shard by position. A local shard is mapped into memory; of one on another file system
 * the ranges that are asked for are read. Thread-safe until closed.
 */
public final class ShardReader implements Closeable {
  /** Bytes per mapping: a Java mapping ends at 2 GiB, and tokens must not straddle two. */
  private static final int SEGMENT_BITS = 30;

  private final Shard shard;
  private final TokenType dtype;
  private final Storage storage;
  private final org.apache.hadoop.fs.Path boundsFile;

  /** Of a local file; null for one elsewhere. */
  private final ByteBuffer[] segments;

  /** Of a file elsewhere; null for a local one. */
  private final RemoteRanges ranges;

  /** Read when first asked for: training does not need them. */
  private volatile long[] bounds;

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
    storage = new Storage(conf);
    org.apache.hadoop.fs.Path file =
        storage.qualify(new org.apache.hadoop.fs.Path(directory, shard.tokensPath()));
    requireSize(storage, file, shard.tokens(), dtype.bytes(), "tokens");
    boundsFile = storage.qualify(new org.apache.hadoop.fs.Path(directory, shard.boundsPath()));
    requireSize(storage, boundsFile, shard.documents(), Long.BYTES, "document bounds");
    boolean local = file.toUri().getScheme().equals("file");
    try {
      segments = local ? map(Path.of(file.toUri().getPath())) : null;
      ranges =
          local
              ? null
              : new RemoteRanges(storage.fileSystem(file), file, shard.tokens() * dtype.bytes());
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
    return Math.toIntExact(shard.documents());
  }

  /** Position of a document's first token. */
  public long start(int document) {
    return document == 0 ? 0 : bounds()[document - 1];
  }

  /** Position after a document's last token. */
  public long end(int document) {
    return bounds()[document];
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
    int bits = ranges == null ? SEGMENT_BITS : RemoteRanges.RANGE_BITS;
    ByteBuffer segment = null;
    for (int i = 0; i < count; i++) {
      long position = (offset + i) * dtype.bytes();
      int inSegment = (int) (position & (1 << bits) - 1);
      if (segment == null || inSegment == 0) {
        int number = (int) (position >>> bits);
        segment = ranges == null ? segments[number] : ranges.range(number);
      }
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

  private long[] bounds() {
    if (bounds == null) {
      long[] read = new long[documents()];
      ByteBuffer.wrap(storage.read(boundsFile))
          .order(ByteOrder.LITTLE_ENDIAN)
          .asLongBuffer()
          .get(read);
      bounds = read;
    }
    return bounds;
  }

  @Override
  public void close() throws IOException {
    if (ranges != null) ranges.close();
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
