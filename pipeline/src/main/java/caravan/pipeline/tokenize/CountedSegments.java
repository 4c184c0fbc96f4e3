package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.char_length;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.sum;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/**
 * A corpus's distinct segments and how often each occurs, on the executors' disks. The driver asks
 * for sums, and for the segments themselves only cut and within a limit.
 */
final class CountedSegments implements AutoCloseable {
  private static final Encoder<Row> NUMBERS =
      Encoders.row(
          new StructType()
              .add("key", DataTypes.LongType, false)
              .add("count", DataTypes.LongType, false));

  private final Dataset<Row> counts;

  /**
   * @param counts persisted rows of {@link SegmentCounter#COUNTS}
   */
  CountedSegments(Dataset<Row> counts) {
    this.counts = counts;
  }

  /**
   * Pairs that may lie in a merge.
   *
   * @param least how often the rarest of them occurs; 1 if all of them are here
   */
  record Frequent(FrequentPairs pairs, long least) {}

  /**
   * Segments for the driver.
   *
   * @param threshold of the sample; 1 if all of them are here
   */
  record Compact(SegmentCounts segments, long threshold) {}

  /** The sum under a name of {@link SegmentCounter}'s, such as {@link SegmentCounter#RECORDS}. */
  long counted(String name) {
    return counts
        .filter(col("segment").equalTo(name))
        .agg(coalesce(sum("count"), lit(0L)))
        .first()
        .getLong(0);
  }

  /** How often each code point occurs. */
  Map<Integer, Long> characters() {
    Map<Integer, Long> characters = new TreeMap<>();
    sums((sums, segment, times) -> segment.codePoints().forEach(c -> sums.add(c, times)))
        .toLocalIterator()
        .forEachRemaining(row -> characters.put((int) row.getLong(0), row.getLong(1)));
    return characters;
  }

  /**
   * The most frequent pairs of neighbouring characters of an alphabet.
   *
   * @param limit pairs at most
   */
  Frequent frequentPairs(Alphabet alphabet, long limit) {
    Dataset<Row> pairs =
        sums((sums, segment, times) -> FrequentPairs.count(segment, times, alphabet, sums))
            .persist(StorageLevel.DISK_ONLY());
    try {
      long least = leastCount(pairs, limit);
      if (least == 1) return new Frequent(FrequentPairs.all(alphabet), 1);
      List<Long> keys =
          pairs.filter(col("count").geq(least)).select("key").as(Encoders.LONG()).collectAsList();
      long[] frequent = keys.stream().mapToLong(Long::longValue).toArray();
      return new Frequent(FrequentPairs.of(alphabet, frequent), least);
    } finally {
      pairs.unpersist();
    }
  }

  /** The lowest count that so many pairs at most reach; 1 if all of them are no more. */
  private static long leastCount(Dataset<Row> pairs, long limit) {
    long sum = 0;
    long least = Long.MAX_VALUE;
    for (Row row :
        pairs
            .groupBy("count")
            .agg(count(lit(1)).as("pairs"))
            .orderBy(col("count").desc())
            .collectAsList()) {
      sum += row.getLong(1);
      if (sum > limit) return least;
      least = row.getLong(0);
    }
    return 1;
  }

  /**
   * The segments cut into parts that merges lie in.
   *
   * @param limit characters at most, about; of more, rare parts are sampled
   */
  Compact compact(FrequentPairs pairs, long limit, long seed) {
    Dataset<Row> parts =
        textSums(
                (row, sums) -> {
                  long times = row.getLong(1);
                  pairs.cut(row.getString(0), part -> sums.add(part, times));
                })
            .persist(StorageLevel.DISK_ONLY());
    try {
      return sampled(parts, limit, seed);
    } finally {
      parts.unpersist();
    }
  }

  /**
   * The segments as they are.
   *
   * @param limit characters at most, about; of more, rare segments are sampled
   */
  Compact whole(long limit, long seed) {
    return sampled(segments(), limit, seed);
  }

  private static Compact sampled(Dataset<Row> parts, long limit, long seed) {
    SegmentSample sample = new SegmentSample(threshold(parts, limit), seed);
    Dataset<Row> kept = sample.threshold() == 1 ? parts : sampled(parts, sample);
    SegmentCounts segments = new SegmentCounts();
    kept.orderBy(col("count").desc(), col("segment"))
        .toLocalIterator()
        .forEachRemaining(row -> segments.add(row.getString(0), row.getLong(1)));
    return new Compact(segments, sample.threshold());
  }

  private static long threshold(Dataset<Row> parts, long limit) {
    List<Row> histogram =
        parts
            .groupBy("count")
            .agg(sum(char_length(col("segment"))).as("characters"))
            .orderBy("count")
            .collectAsList();
    return SegmentSample.threshold(
        histogram.stream().mapToLong(row -> row.getLong(0)).toArray(),
        histogram.stream().mapToLong(row -> row.getLong(1)).toArray(),
        limit);
  }

  private static Dataset<Row> sampled(Dataset<Row> parts, SegmentSample sample) {
    return parts
        .map(
            (MapFunction<Row, Row>)
                row ->
                    RowFactory.create(
                        row.getString(0), sample.count(row.getString(0), row.getLong(1))),
            Encoders.row(SegmentCounter.COUNTS))
        .filter(col("count").gt(0));
  }

  /** Adds up the keys of a segment. */
  private interface Keys extends Serializable {
    void addTo(LongCounts sums, String segment, long times);
  }

  private Dataset<Row> sums(Keys keys) {
    return segments()
        .mapPartitions(
            (MapPartitionsFunction<Row, Row>)
                rows ->
                    new PartialSums.Numbers(
                        rows, (row, sums) -> keys.addTo(sums, row.getString(0), row.getLong(1))),
            NUMBERS)
        .groupBy("key")
        .agg(sum("count").as("count"));
  }

  private interface Parts extends Serializable {
    void addTo(Row segment, PartialSums.Texts sums);
  }

  private Dataset<Row> textSums(Parts parts) {
    return segments()
        .mapPartitions(
            (MapPartitionsFunction<Row, Row>) rows -> new PartialSums.Texts(rows, parts::addTo),
            Encoders.row(SegmentCounter.COUNTS))
        .groupBy("segment")
        .agg(sum("count").as("count"));
  }

  private Dataset<Row> segments() {
    return counts.filter(not(col("segment").startsWith("\0")));
  }

  @Override
  public void close() {
    counts.unpersist();
  }
}
