package caravan.pipeline.learn;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.least;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.sum;

import caravan.pipeline.clean.Perplexity;
import caravan.pipeline.text.NgramModel;
import caravan.pipeline.text.Words;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/**
 * Counts the n-grams of a reference corpus, all of it on the executors, and brings to the driver
 * those that the model keeps: the vocabulary and, of longer n-grams, those that occur at least as
 * often as makes their number fit. Equal texts in any order and partitioning give equal models.
 */
final class NgramTrainer {
  /** Counts are told apart up to this one when pruning. */
  private static final int MAX_MIN_COUNT = 1000;

  private static final String COUNT = "c";

  /** Occurrences, of short n-grams too. */
  private static final String OCCURRENCES = "occurrences";

  private final SparkSession spark;
  private final Perplexity config;

  /**
   * A model and how it came about.
   *
   * @param units of the reference
   * @param minCount occurrences below which n-grams of two and more units were left out
   * @param discounts per order, from 1
   */
  record Trained(NgramModel model, long units, int minCount, List<KneserNey.Discounts> discounts) {}

  /** How many n-grams there are of each number of occurrences, and counts of c for discounts. */
  private record Statistics(long[] byOccurrences, long[] byCount, long occurrences) {}

  NgramTrainer(SparkSession spark, Perplexity config) {
    this.spark = spark;
    this.config = config;
  }

  /**
   * @param texts normalized; read twice
   * @throws IllegalArgumentException when there is no word in them, or too small a bound
   */
  Trained train(JavaRDD<String> texts) {
    long[] units = vocabulary(texts);
    Broadcast<LongIndex> vocabulary = context().broadcast(new LongIndex(units));
    List<Dataset<Row>> tables = tables(windows(texts, vocabulary));
    try {
      return train(tables, units);
    } finally {
      tables.forEach(table -> table.unpersist(false));
      vocabulary.destroy();
    }
  }

  private JavaSparkContext context() {
    return JavaSparkContext.fromSparkContext(spark.sparkContext());
  }

  /** The most frequent words that occur twice. */
  private long[] vocabulary(JavaRDD<String> texts) {
    Dataset<Long> words =
        spark.createDataset(
            texts
                .flatMap(
                    text -> {
                      Words w = Words.of(text);
                      return IntStream.range(0, w.count()).mapToObj(w::hash).iterator();
                    })
                .rdd(),
            Encoders.LONG());
    List<Row> counted =
        words
            .groupBy("value")
            .agg(count(lit(1)).as(COUNT))
            .filter(col(COUNT).geq(2))
            .orderBy(col(COUNT).desc(), col("value"))
            .limit(config.maxVocabulary())
            .collectAsList();
    return counted.stream().mapToLong(row -> row.getLong(0)).toArray();
  }

  private String unit(int position) {
    return "u" + position;
  }

  /** Columns of units, the last of {@code order}. */
  private Column[] units(int length, int dropped) {
    return IntStream.rangeClosed(config.order() - length + 1, config.order() - dropped)
        .mapToObj(position -> col(unit(position)))
        .toArray(Column[]::new);
  }

  private Dataset<Row> windows(JavaRDD<String> texts, Broadcast<LongIndex> vocabulary) {
    StructType schema = new StructType();
    for (int position = 1; position <= config.order(); position++) {
      schema = schema.add(unit(position), DataTypes.IntegerType, false);
    }
    int order = config.order();
    JavaRDD<Row> rows = texts.flatMap(text -> windows(text, vocabulary.value(), order));
    return spark.createDataFrame(rows, schema);
  }

  private static Iterator<Row> windows(String text, LongIndex vocabulary, int order) {
    return new UnitWindows(Words.of(text), vocabulary, order).rows();
  }

  /** N-grams of each order, from 1, with c; those that begin with 0 have nothing before them. */
  private List<Dataset<Row>> tables(Dataset<Row> windows) {
    List<Dataset<Row>> tables = new ArrayList<>();
    Dataset<Row> longest =
        windows
            .groupBy(units(config.order(), 0))
            .agg(count(lit(1)).as(COUNT))
            .withColumn(OCCURRENCES, col(COUNT));
    tables.add(longest.persist(StorageLevel.DISK_ONLY()));
    for (int length = config.order() - 1; length >= 1; length--) {
      Dataset<Row> shorter =
          tables
              .get(0)
              .groupBy(units(length, 0))
              .agg(count(lit(1)).as(COUNT), sum(OCCURRENCES).as(OCCURRENCES));
      tables.add(0, shorter.persist(StorageLevel.DISK_ONLY()));
    }
    return tables;
  }

  private Trained train(List<Dataset<Row>> tables, long[] units) {
    List<Dataset<Row>> ngrams = new ArrayList<>();
    List<Statistics> statistics = new ArrayList<>();
    for (int length = 1; length <= config.order(); length++) {
      Column first = units(length, 0)[0];
      ngrams.add(tables.get(length - 1).filter(first.notEqual(0)));
      statistics.add(statistics(ngrams.get(length - 1)));
    }
    long occurrences = statistics.get(0).occurrences;
    if (occurrences == 0) {
      throw new IllegalArgumentException("no word of the language that occurs twice");
    }
    int minCount = minCount(statistics);
    List<KneserNey.Order> orders = new ArrayList<>();
    for (int length = 1; length <= config.order(); length++) {
      orders.add(
          order(
              ngrams.get(length - 1),
              length,
              length == 1 ? 1 : minCount,
              units,
              KneserNey.Discounts.estimate(statistics.get(length - 1).byCount)));
    }
    return new Trained(
        KneserNey.model(orders),
        occurrences,
        minCount,
        orders.stream().map(KneserNey.Order::discounts).toList());
  }

  private static Statistics statistics(Dataset<Row> ngrams) {
    long[] byOccurrences = new long[MAX_MIN_COUNT + 1];
    long[] byCount = new long[5];
    long occurrences = 0;
    for (Row row :
        ngrams
            .groupBy(
                least(col(OCCURRENCES), lit((long) MAX_MIN_COUNT)).as("o"),
                least(col(COUNT), lit(5L)).as("n"))
            .agg(count(lit(1)), sum(OCCURRENCES))
            .collectAsList()) {
      byOccurrences[(int) row.getLong(0)] += row.getLong(2);
      byCount[(int) row.getLong(1) - 1] += row.getLong(2);
      occurrences += row.getLong(3);
    }
    return new Statistics(byOccurrences, byCount, occurrences);
  }

  private int minCount(List<Statistics> statistics) {
    long size = Arrays.stream(statistics.get(0).byOccurrences).sum();
    int minCount = MAX_MIN_COUNT + 1;
    while (minCount > 1) {
      int next = minCount - 1;
      size += statistics.stream().skip(1).mapToLong(s -> s.byOccurrences[next]).sum();
      if (size > config.maxNgrams()) {
        break;
      }
      minCount = next;
    }
    if (minCount > MAX_MIN_COUNT) {
      throw new IllegalArgumentException(
          "max-ngrams: got %d, wanted room for %d, those that occur %d times; raise it"
              .formatted(config.maxNgrams(), size, MAX_MIN_COUNT));
    }
    return minCount;
  }

  private KneserNey.Order order(
      Dataset<Row> ngrams, int length, int minCount, long[] units, KneserNey.Discounts discounts) {
    Broadcast<long[]> hashes = context().broadcast(units);
    Dataset<Row> kept = ngrams.filter(col(OCCURRENCES).geq(minCount));
    long[][] counts =
        collected(
            kept.select(with(units(length, 0), col(COUNT))).toJavaRDD(),
            row -> hashed(row, length, hashes.value()),
            4);
    Dataset<Row> contexts =
        ngrams
            .groupBy(units(length, 1))
            .agg(sum(COUNT).as(COUNT), max(OCCURRENCES).as("most"))
            .filter(col("most").geq(minCount));
    long[][] totals =
        collected(
            contexts.select(with(units(length, 1), col(COUNT))).toJavaRDD(),
            row -> new long[] {hash(row, 0, length - 1, hashes.value()), row.getLong(length - 1)},
            2);
    hashes.destroy();
    return new KneserNey.Order(
        counts[0], counts[1], counts[2], counts[3], totals[0], totals[1], discounts);
  }

  private static Column[] with(Column[] columns, Column last) {
    Column[] all = Arrays.copyOf(columns, columns.length + 1);
    all[columns.length] = last;
    return all;
  }

  private static long[] hashed(Row row, int length, long[] units) {
    return new long[] {
      hash(row, 0, length, units),
      hash(row, 0, length - 1, units),
      hash(row, 1, length, units),
      row.getLong(length)
    };
  }

  private static long hash(Row row, int from, int to, long[] units) {
    long hash = 0;
    for (int i = from; i < to; i++) {
      hash = NgramModel.extend(hash, units[row.getInt(i) - 1]);
    }
    return hash;
  }

  private interface RowToLongs extends java.io.Serializable {
    long[] of(Row row);
  }

  /** What becomes of each row, column by column, without an object per row. */
  private static long[][] collected(JavaRDD<Row> rows, RowToLongs function, int columns) {
    List<long[][]> partitions =
        rows.mapPartitions(
                part -> {
                  long[][] values = new long[columns][64];
                  int size = 0;
                  while (part.hasNext()) {
                    long[] row = function.of(part.next());
                    for (int c = 0; c < columns; c++) {
                      if (size == values[c].length) {
                        values[c] = Arrays.copyOf(values[c], 2 * size);
                      }
                      values[c][size] = row[c];
                    }
                    size++;
                  }
                  for (int c = 0; c < columns; c++) {
                    values[c] = Arrays.copyOf(values[c], size);
                  }
                  return List.<long[][]>of(values).iterator();
                })
            .collect();
    long[][] all = new long[columns][];
    for (int c = 0; c < columns; c++) {
      int column = c;
      all[c] = partitions.stream().flatMapToLong(p -> Arrays.stream(p[column])).toArray();
    }
    return all;
  }
}
