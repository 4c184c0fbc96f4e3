package caravan.jobs.report;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.shiftright;
import static org.apache.spark.sql.functions.sum;

import caravan.model.engine.TokenBatch;
import caravan.model.train.SequenceSource;
import java.util.Arrays;
import java.util.Iterator;
import java.util.PrimitiveIterator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;

/**
 * Held-out loss of an interpolated Kneser-Ney bigram, on the very positions that a model's
 * validation loss is measured on: what a model must beat to have learned more than which token
 * follows which. Counts stay on the executors; the driver holds three numbers per vocabulary entry.
 *
 * @param loss mean cross entropy in nats per target token on the validation sequences
 * @param discount Kneser-Ney's D
 * @param trainTokens target tokens that were counted
 * @param validationTokens target tokens that were scored
 */
public record BigramBaseline(
    double loss, double discount, long trainTokens, long validationTokens) {
  private static final int PARTITIONS_PER_CORE = 4;

  /**
   * @param vocabSize ids are below it
   * @param validationSequences how many of the validation source's first sequences to score; 0 for
   *     all
   */
  public static BigramBaseline measure(
      SparkSession spark,
      SequenceSource train,
      SequenceSource validation,
      int vocabSize,
      long validationSequences) {
    long held =
        validationSequences == 0
            ? validation.size()
            : Math.min(validationSequences, validation.size());
    Dataset<Row> trained =
        counts(spark, train, train.size(), "count").persist(StorageLevel.MEMORY_AND_DISK());
    Dataset<Row> scored = counts(spark, validation, held, "times");
    try {
      KneserNeyBigram bigram = bigram(trained, vocabSize);
      Dataset<Row> joined =
          scored
              .join(trained, scored.col("pair").equalTo(trained.col("pair")), "left")
              .select(scored.col("pair"), col("times"), coalesce(col("count"), lit(0L)));
      Dataset<Double> losses = joined.map(loss(bigram), Encoders.DOUBLE());
      Row sums =
          joined
              .select(sum("times"))
              .crossJoin(losses.select(sum("value")))
              .crossJoin(trained.select(sum("count")))
              .first();
      if (sums.isNullAt(0) || sums.isNullAt(2)) {
        throw new IllegalArgumentException(
            "bigram: no target token among %d training and %d validation sequences"
                .formatted(train.size(), held));
      }
      return new BigramBaseline(
          sums.getDouble(1) / sums.getLong(0), bigram.discount(), sums.getLong(2), sums.getLong(0));
    } finally {
      trained.unpersist();
    }
  }

  private static MapFunction<Row, Double> loss(KneserNeyBigram bigram) {
    return row -> {
      long pair = row.getLong(0);
      return -row.getLong(1)
          * bigram.logProbability((int) (pair >>> 32), (int) pair, row.getLong(2));
    };
  }

  private static KneserNeyBigram bigram(Dataset<Row> counts, int vocabSize) {
    long[] total = new long[vocabSize];
    int[] followers = new int[vocabSize];
    int[] predecessors = new int[vocabSize];
    Column first = shiftright(col("pair"), 32).as("id");
    for (Row row : counts.groupBy(first).agg(sum("count"), count(lit(1))).collectAsList()) {
      total[(int) row.getLong(0)] = row.getLong(1);
      followers[(int) row.getLong(0)] = (int) row.getLong(2);
    }
    Column second = col("pair").bitwiseAND(0xFFFFFFFFL).as("id");
    for (Row row : counts.groupBy(second).agg(count(lit(1))).collectAsList()) {
      predecessors[(int) row.getLong(0)] = (int) row.getLong(1);
    }
    return new KneserNeyBigram(
        total,
        followers,
        predecessors,
        counts.filter(col("count").equalTo(1)).count(),
        counts.filter(col("count").equalTo(2)).count());
  }

  /** Rows (pair: first id in the upper 32 bits, how often). */
  private static Dataset<Row> counts(
      SparkSession spark, SequenceSource source, long sequences, String name) {
    int partitions =
        (int)
            Math.max(
                1,
                Math.min(
                    sequences, PARTITIONS_PER_CORE * spark.sparkContext().defaultParallelism()));
    MapPartitionsFunction<Long, Long> read = indices -> new Pairs(source, indices);
    return spark
        .range(0, sequences, 1, partitions)
        .as(Encoders.LONG())
        .mapPartitions(read, Encoders.LONG())
        .groupBy(col("value").as("pair"))
        .agg(count(lit(1)).as(name));
  }

  /** Pairs (an id, the id it should predict) of sequences, one sequence in memory at a time. */
  private static final class Pairs implements Iterator<Long> {
    private final SequenceSource source;
    private final Iterator<Long> indices;
    private final int[] ids;
    private final int[] targets;
    private PrimitiveIterator.OfLong pairs = LongStream.empty().iterator();

    Pairs(SequenceSource source, Iterator<Long> indices) {
      this.source = source;
      this.indices = indices;
      ids = new int[source.sequenceLength()];
      targets = new int[source.sequenceLength()];
    }

    @Override
    public boolean hasNext() {
      while (!pairs.hasNext() && indices.hasNext()) {
        Arrays.fill(targets, TokenBatch.IGNORED);
        source.read(indices.next(), ids, targets, 0);
        pairs =
            IntStream.range(0, ids.length)
                .filter(i -> TokenBatch.unmarked(targets[i]) != TokenBatch.IGNORED)
                .mapToLong(i -> (long) ids[i] << 32 | TokenBatch.unmarked(targets[i]))
                .iterator();
      }
      return pairs.hasNext();
    }

    @Override
    public Long next() {
      return pairs.next();
    }
  }
}
