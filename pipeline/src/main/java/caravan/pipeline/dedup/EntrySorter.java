package caravan.pipeline.dedup;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.PriorityQueue;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;

/**
 * Sorts the blocks that reach a task, by {@link Entry#ORDER}. Past {@code maxBytes} it writes what
 * it has, sorted, to a file in Spark's local directories, and merges in the end: a partition that
 * one key dominates costs disk, not memory.
 */
final class EntrySorter {
  static final int MAX_BYTES = 32 << 20;

  private static final int INDEX_BITS = 24;
  private static final long INDEX_MASK = (1L << INDEX_BITS) - 1;
  private static final int SMALL_RUN = 24;

  private final Route route;
  private final int maxBytes;
  private final List<File> runs = new ArrayList<>();
  private List<byte[]> blocks = new ArrayList<>();
  private long heldBytes;
  private int count;
  private int[] blockOf = new int[1024];
  private int[] offsetOf = new int[1024];

  EntrySorter(Route route, int maxBytes) {
    this.route = route;
    this.maxBytes = maxBytes;
  }

  /** All entries of the blocks, sorted. */
  static Iterator<Entry> sorted(Iterator<byte[]> blocks, Route route) {
    EntrySorter sorter = new EntrySorter(route, MAX_BYTES);
    while (blocks.hasNext()) {
      sorter.add(blocks.next());
    }
    return sorter.sorted();
  }

  void add(byte[] block) {
    if (heldBytes > 0 && heldBytes + block.length > maxBytes) {
      spill();
    }
    int number = blocks.size();
    blocks.add(block);
    heldBytes += block.length;
    for (int at = 0; at < block.length; ) {
      if (count == blockOf.length) {
        blockOf = Arrays.copyOf(blockOf, 2 * count);
        offsetOf = Arrays.copyOf(offsetOf, 2 * count);
      }
      blockOf[count] = number;
      offsetOf[count++] = at;
      at += Entry.HEADER_BYTES + Entry.payloadBytes(block, at);
    }
  }

  Iterator<Entry> sorted() {
    Iterator<Entry> held = held();
    if (runs.isEmpty()) {
      return held;
    }
    PriorityQueue<Source> sources = new PriorityQueue<>();
    for (File run : runs) {
      Iterator<Entry> entries = new Run(run);
      sources.add(new Source(entries.next(), entries));
    }
    if (held.hasNext()) {
      sources.add(new Source(held.next(), held));
    }
    return new Merged(sources);
  }

  /** What is in memory, sorted. */
  private Iterator<Entry> held() {
    int n = count;
    List<byte[]> of = blocks;
    int[] block = blockOf;
    int[] offset = offsetOf;
    long[] order = order();
    return new Iterator<>() {
      private int at;

      @Override
      public boolean hasNext() {
        return at < n;
      }

      @Override
      public Entry next() {
        int i = (int) (order[at++] & INDEX_MASK);
        return Entry.read(of.get(block[i]), offset[i]);
      }
    };
  }

  /** Sorts numbers whose upper 40 bits are the entry's and lower 24 its index; then mends ties. */
  private long[] order() {
    long[] order = new long[count];
    for (int i = 0; i < count; i++) {
      order[i] = route.sortable(first(i)) & ~INDEX_MASK | i;
    }
    Arrays.sort(order);
    for (int from = 0; from < count; ) {
      int to = from + 1;
      while (to < count && (order[to] ^ order[from]) >>> INDEX_BITS == 0) {
        to++;
      }
      if (to - from > SMALL_RUN) {
        sortRun(order, from, to);
      } else {
        insertionSort(order, from, to);
      }
      from = to;
    }
    return order;
  }

  private void sortRun(long[] order, int from, int to) {
    Long[] run = new Long[to - from];
    Arrays.setAll(run, i -> order[from + i]);
    Arrays.sort(run, (a, b) -> compare((int) (a & INDEX_MASK), (int) (b & INDEX_MASK)));
    for (int i = 0; i < run.length; i++) {
      order[from + i] = run[i];
    }
  }

  private void insertionSort(long[] order, int from, int to) {
    for (int i = from + 1; i < to; i++) {
      long moved = order[i];
      int j = i;
      while (j > from
          && compare((int) (order[j - 1] & INDEX_MASK), (int) (moved & INDEX_MASK)) > 0) {
        order[j] = order[--j];
      }
      order[j] = moved;
    }
  }

  private long first(int i) {
    return Entry.getLong(blocks.get(blockOf[i]), offsetOf[i]);
  }

  private int compare(int i, int j) {
    byte[] a = blocks.get(blockOf[i]);
    byte[] b = blocks.get(blockOf[j]);
    int x = offsetOf[i];
    int y = offsetOf[j];
    int order = Long.compare(Entry.getLong(a, x), Entry.getLong(b, y));
    order = order != 0 ? order : Long.compare(Entry.getLong(a, x + 8), Entry.getLong(b, y + 8));
    if (order != 0) {
      return order;
    }
    int from = x + Entry.HEADER_BYTES;
    int other = y + Entry.HEADER_BYTES;
    return Arrays.compareUnsigned(
        a, from, from + Entry.payloadBytes(a, x), b, other, other + Entry.payloadBytes(b, y));
  }

  private void spill() {
    try {
      File file = file();
      runs.add(file);
      try (DataOutputStream out =
          new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file.toPath())))) {
        byte[] buffer = {};
        for (Iterator<Entry> sorted = held(); sorted.hasNext(); ) {
          Entry entry = sorted.next();
          buffer = buffer.length < entry.bytes() ? new byte[2 * entry.bytes()] : buffer;
          entry.write(buffer, 0);
          out.writeInt(entry.bytes());
          out.write(buffer, 0, entry.bytes());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot spill to Spark's local directory", e);
    }
    blocks = new ArrayList<>();
    heldBytes = 0;
    count = 0;
    blockOf = new int[1024];
    offsetOf = new int[1024];
  }

  private static File file() throws IOException {
    TaskContext task = TaskContext.get();
    if (task == null) { // without Spark
      File file = File.createTempFile("caravan-sort", ".run");
      file.deleteOnExit();
      return file;
    }
    File file = SparkEnv.get().blockManager().diskBlockManager().createTempLocalBlock()._2();
    task.addTaskCompletionListener(
        context -> {
          file.delete();
        });
    return file;
  }

  private record Source(Entry head, Iterator<Entry> rest) implements Comparable<Source> {
    @Override
    public int compareTo(Source other) {
      return Entry.ORDER.compare(head, other.head);
    }
  }

  private record Merged(PriorityQueue<Source> sources) implements Iterator<Entry> {
    @Override
    public boolean hasNext() {
      return !sources.isEmpty();
    }

    @Override
    public Entry next() {
      Source source = sources.remove();
      if (source.rest.hasNext()) {
        sources.add(new Source(source.rest.next(), source.rest));
      }
      return source.head;
    }
  }

  private static final class Run implements Iterator<Entry> {
    private final DataInputStream in;
    private Entry next;

    Run(File file) {
      try {
        in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file.toPath())));
      } catch (IOException e) {
        throw new UncheckedIOException(file + ": cannot read what was spilled", e);
      }
      next = read();
    }

    private Entry read() {
      try {
        byte[] entry = new byte[in.readInt()];
        in.readFully(entry);
        return Entry.read(entry, 0);
      } catch (EOFException e) {
        try {
          in.close();
        } catch (IOException closing) {
          throw new UncheckedIOException(closing);
        }
        return null;
      } catch (IOException e) {
        throw new UncheckedIOException("cannot read what was spilled", e);
      }
    }

    @Override
    public boolean hasNext() {
      return next != null;
    }

    @Override
    public Entry next() {
      if (next == null) {
        throw new NoSuchElementException("the run has ended");
      }
      Entry entry = next;
      next = read();
      return entry;
    }
  }
}
