package caravan.pipeline.dedup;

import caravan.pipeline.ByNumber;
import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.storage.StorageLevel;

/**
 * A distributed collection of {@link Entry}, packed into blocks. An entry costs 20 bytes and its
 * payload, and no object, wherever Spark holds or moves it: an order of magnitude below rows or
 * tuples, which is what makes comparing all documents cheap.
 */
final class Entries implements AutoCloseable {
  /** Bytes a partition is aimed at, such that {@link EntrySorter} seldom spills. */
  private static final long PARTITION_BYTES = 16L << 20;

  private static final int MAX_PARTITIONS = 20_000;

  private final JavaRDD<byte[]> blocks;
  private JavaRDD<byte[]> cached;

  private Entries(JavaRDD<byte[]> blocks) {
    this.blocks = blocks;
  }

  /** A function of entries, on executors. */
  interface Transform extends Function<Iterator<Entry>, Iterator<Entry>> {}

  /** A function of two sorted partitions of the same keys, on executors. */
  interface Merge extends Function2<Iterator<Entry>, Iterator<Entry>, Iterator<Entry>> {}

  /** How many partitions that much data wants. */
  static int partitions(long bytes) {
    return (int) Math.max(1, Math.min(MAX_PARTITIONS, (bytes - 1) / PARTITION_BYTES + 1));
  }

  /** Packs entries; each partition keeps its own. */
  static Entries of(JavaRDD<Entry> entries) {
    return new Entries(entries.mapPartitions(part -> packed(part)));
  }

  static Entries empty(JavaSparkContext sc) {
    return new Entries(sc.parallelize(List.<byte[]>of(), 1));
  }

  static Entries empty(SparkContext sc, int partitions) {
    return new Entries(
        JavaSparkContext.fromSparkContext(sc).parallelize(List.<byte[]>of(), partitions));
  }

  private static Iterator<byte[]> packed(Iterator<Entry> entries) {
    Blocks packed = new Blocks(entries, Route.HASH, 1);
    return new Step<>() {
      @Override
      protected boolean advance() {
        if (!packed.hasNext()) {
          return false;
        }
        emit(packed.next()._2());
        return true;
      }
    };
  }

  /** Brings entries of equal {@link Entry#first} together, and sorts each partition. */
  Entries sorted(int partitions, Route route) {
    JavaPairRDD<Integer, byte[]> routed =
        blocks.mapPartitionsToPair(
            part -> new Blocks(Blocks.entries(part), route, partitions), false);
    return new Entries(
        routed
            .partitionBy(new ByNumber(partitions))
            .values()
            .mapPartitions(part -> packed(EntrySorter.sorted(part, route))));
  }

  /** Sorts each partition by itself: nothing is moved. */
  Entries sortedWithin(Route route) {
    return new Entries(blocks.mapPartitions(part -> packed(EntrySorter.sorted(part, route)), true));
  }

  Entries map(Transform transform) {
    return new Entries(
        blocks.mapPartitions(part -> packed(transform.call(Blocks.entries(part))), true));
  }

  /** Walks through two collections that were sorted alike, partition by partition. */
  Entries merge(Entries other, Merge merge) {
    return new Entries(
        blocks.zipPartitions(
            other.blocks, (a, b) -> packed(merge.call(Blocks.entries(a), Blocks.entries(b)))));
  }

  Entries union(Entries other) {
    return new Entries(blocks.union(other.blocks));
  }

  /** All partitions in one row, for walking beside them. */
  JavaRDD<byte[]> blocks() {
    return blocks;
  }

  int partitionCount() {
    return blocks.getNumPartitions();
  }

  /** Keeps them on the disks of the executors once they are computed: they grow with the corpus. */
  Entries cached() {
    cached = blocks.persist(StorageLevel.DISK_ONLY());
    return this;
  }

  Entries filter(Test test) {
    return map(entries -> new Passing(entries, test));
  }

  /** Whether an entry stays. */
  interface Test extends Serializable {
    boolean call(Entry entry);
  }

  /**
   * Sums, and after them maxima, over all entries; those of nothing are zero.
   *
   * @param add adds a partition's entries to such an array of zeros
   */
  long[] totals(int sums, int maxima, Add add) {
    return blocks
        .mapPartitions(
            part -> {
              long[] totals = new long[sums + maxima];
              add.call(Blocks.entries(part), totals);
              return List.of(totals).iterator();
            })
        .fold(
            new long[sums + maxima],
            (a, b) -> {
              long[] both = a.clone();
              for (int i = 0; i < both.length; i++) {
                both[i] = i < sums ? a[i] + b[i] : Math.max(a[i], b[i]);
              }
              return both;
            });
  }

  /** Adds a partition's entries to totals. */
  interface Add extends Serializable {
    void call(Iterator<Entry> entries, long[] totals);
  }

  long count() {
    return totals(1, 0, (entries, totals) -> entries.forEachRemaining(e -> totals[0]++))[0];
  }

  /** For tests and bounded results. */
  List<Entry> collect() {
    return blocks.collect().stream()
        .flatMap(
            block -> {
              List<Entry> entries = new java.util.ArrayList<>();
              Blocks.entries(List.of(block).iterator()).forEachRemaining(entries::add);
              return entries.stream();
            })
        .toList();
  }

  @Override
  public void close() {
    if (cached != null) {
      cached.unpersist(false);
    }
  }

  private static final class Passing extends Each<Entry, Entry> {
    private final Test test;

    Passing(Iterator<Entry> entries, Test test) {
      super(entries);
      this.test = test;
    }

    @Override
    protected void take(Entry entry) {
      if (test.call(entry)) {
        emit(entry);
      }
    }
  }
}
