package caravan.pipeline.tokenize;

import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * Sums by key what a task sees, and hands the sums on whenever there are many: what crosses the
 * network is small, and memory stays bounded. Keys come again; who groups by them adds up.
 */
abstract class PartialSums implements Iterator<Row> {
  private final Iterator<Row> rows;
  private final int many;
  private Iterator<Row> ready = Collections.emptyIterator();

  private PartialSums(Iterator<Row> rows, int many) {
    this.rows = rows;
    this.many = many;
  }

  abstract void take(Row row);

  /** How much memory the sums take, in a unit of the kind of keys. */
  abstract int size();

  /** The sums so far; the next ones start from nothing when these have been read. */
  abstract Iterator<Row> sums();

  abstract void clear();

  @Override
  public final boolean hasNext() {
    if (ready.hasNext()) return true;
    clear();
    while (rows.hasNext() && size() < many) take(rows.next());
    ready = sums();
    return ready.hasNext();
  }

  @Override
  public final Row next() {
    if (!hasNext()) throw new NoSuchElementException();
    return ready.next();
  }

  /** Sums by text. */
  static final class Texts extends PartialSums {
    /** What a key takes beside its characters, in characters. */
    private static final int KEY = 32;

    private final BiConsumer<Row, Texts> adder;
    private final Map<String, long[]> sums = new HashMap<>();
    private int size;

    /**
     * @param adder adds what a row holds
     */
    Texts(Iterator<Row> rows, BiConsumer<Row, Texts> adder) {
      super(rows, KEY << 17);
      this.adder = adder;
    }

    void add(String text, long count) {
      long[] sum = sums.get(text);
      if (sum == null) {
        sums.put(text, sum = new long[1]);
        size += KEY + text.length();
      }
      sum[0] += count;
    }

    @Override
    void take(Row row) {
      adder.accept(row, this);
    }

    @Override
    int size() {
      return size;
    }

    @Override
    Iterator<Row> sums() {
      return sums.entrySet().stream()
          .map(e -> RowFactory.create(e.getKey(), e.getValue()[0]))
          .iterator();
    }

    @Override
    void clear() {
      sums.clear();
      size = 0;
    }
  }

  /** Sums by number. */
  static final class Numbers extends PartialSums {
    private final BiConsumer<Row, LongCounts> adder;
    private final LongCounts sums = new LongCounts();

    /**
     * @param adder adds what a row holds
     */
    Numbers(Iterator<Row> rows, BiConsumer<Row, LongCounts> adder) {
      super(rows, 1 << 18);
      this.adder = adder;
    }

    @Override
    void take(Row row) {
      adder.accept(row, sums);
    }

    @Override
    int size() {
      return sums.size();
    }

    @Override
    Iterator<Row> sums() {
      return IntStream.range(0, sums.slots())
          .filter(sums::isTaken)
          .mapToObj(slot -> RowFactory.create(sums.key(slot), sums.sum(slot)))
          .iterator();
    }

    @Override
    void clear() {
      sums.clear();
    }
  }
}
