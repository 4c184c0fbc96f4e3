package caravan.pipeline.dedup;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import scala.Tuple2;

/**
 * Packs a stream of entries into blocks of bytes, one open block per target partition. Spark then
 * moves and stores a few large arrays instead of millions of objects.
 */
final class Blocks implements Iterator<Tuple2<Integer, byte[]>> {
  /** What the open blocks of a task may take in memory together. */
  private static final int OPEN_BYTES = 16 << 20;

  private static final int MAX_BYTES = 1 << 16;
  private static final int MIN_BYTES = 1 << 10;

  private final Iterator<Entry> entries;
  private final Route route;
  private final int bytes;
  private final byte[][] open;
  private final int[] used;
  private final Queue<Tuple2<Integer, byte[]>> full = new ArrayDeque<>();
  private int closed;

  Blocks(Iterator<Entry> entries, Route route, int partitions) {
    this.entries = entries;
    this.route = route;
    this.bytes = Math.max(MIN_BYTES, Math.min(MAX_BYTES, OPEN_BYTES / partitions));
    this.open = new byte[partitions][];
    this.used = new int[partitions];
  }

  @Override
  public boolean hasNext() {
    while (full.isEmpty() && entries.hasNext()) {
      add(entries.next());
    }
    while (full.isEmpty() && closed < open.length) {
      close(closed++);
    }
    return !full.isEmpty();
  }

  @Override
  public Tuple2<Integer, byte[]> next() {
    if (!hasNext()) {
      throw new NoSuchElementException("no more blocks");
    }
    return full.remove();
  }

  private void add(Entry entry) {
    int target = route.partition(entry.first(), open.length);
    if (open[target] != null && used[target] + entry.bytes() > open[target].length) {
      close(target);
    }
    if (open[target] == null) {
      open[target] = new byte[Math.max(bytes, entry.bytes())];
    }
    used[target] = entry.write(open[target], used[target]);
  }

  private void close(int target) {
    if (open[target] != null) {
      full.add(new Tuple2<>(target, Arrays.copyOf(open[target], used[target])));
      open[target] = null;
      used[target] = 0;
    }
  }

  /** The entries of blocks, in order. */
  static Iterator<Entry> entries(Iterator<byte[]> blocks) {
    return new Iterator<>() {
      private byte[] block = {};
      private int at;

      @Override
      public boolean hasNext() {
        while (at == block.length && blocks.hasNext()) {
          block = blocks.next();
          at = 0;
        }
        return at < block.length;
      }

      @Override
      public Entry next() {
        if (!hasNext()) {
          throw new NoSuchElementException("no more entries");
        }
        Entry entry = Entry.read(block, at);
        at += entry.bytes();
        return entry;
      }
    };
  }
}
