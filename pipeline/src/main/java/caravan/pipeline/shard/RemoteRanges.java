package caravan.pipeline.shard;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * A file on another machine, read by ranges of a megabyte when they are asked for. The ranges used
 * last stay in memory, those of all files of this JVM together at most an eighth of its heap.
 */
final class RemoteRanges implements Closeable {
  /** Bytes per range. */
  static final int RANGE_BITS = 20;

  private static final AtomicLong FILES = new AtomicLong();
  private static final long KEPT =
      Math.max(16, Runtime.getRuntime().maxMemory() / 8 >>> RANGE_BITS);

  /** By file and range, least recently used first. */
  private static final Map<Key, ByteBuffer> CACHE =
      new LinkedHashMap<>(64, .75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, ByteBuffer> eldest) {
          return size() > KEPT;
        }
      };

  private record Key(long file, int range) {}

  private final long number = FILES.incrementAndGet();
  private final Path path;
  private final long bytes;
  private final FSDataInputStream in;

  RemoteRanges(FileSystem files, Path path, long bytes) throws IOException {
    this.path = path;
    this.bytes = bytes;
    in = files.open(path);
  }

  /** The range that begins at byte {@code range << RANGE_BITS}, little-endian. */
  ByteBuffer range(int range) {
    Key key = new Key(number, range);
    synchronized (CACHE) {
      ByteBuffer kept = CACHE.get(key);
      if (kept != null) {
        return kept;
      }
    }
    ByteBuffer fresh = read((long) range << RANGE_BITS);
    synchronized (CACHE) {
      CACHE.put(key, fresh);
    }
    return fresh;
  }

  private ByteBuffer read(long from) {
    byte[] content = new byte[(int) Math.min(1L << RANGE_BITS, bytes - from)];
    try {
      in.readFully(from, content);
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot read it from byte " + from, e);
    }
    return ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() throws IOException {
    synchronized (CACHE) {
      CACHE.keySet().removeIf(key -> key.file == number);
    }
    in.close();
  }
}
