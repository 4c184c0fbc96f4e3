package caravan.pipeline.learn;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;

import caravan.pipeline.clean.Boilerplate;
import caravan.pipeline.clean.Cleaner;
import caravan.pipeline.text.BoilerplateLines;
import caravan.pipeline.text.Passage;
import caravan.pipeline.text.Words;
import java.util.Iterator;
import java.util.List;
import java.util.stream.LongStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/**
 * Finds the lines that many documents of a site share, in one pass over the input. Documents count
 * once however often the same text occurs: a page that was crawled ten times makes no line
 * boilerplate (near copies do: deduplicate first where there are many).
 *
 * <p>The executors hold a hash of each line, document and site; the driver gets the lines that
 * pass, at most {@code max-lines}, those in most documents first.
 */
final class BoilerplateLearner {
  /** Stands for the document itself: no line has this key. */
  private static final long DOCUMENT = 0;

  private static final StructType SCHEMA =
      new StructType()
          .add("site", DataTypes.LongType, false)
          .add("line", DataTypes.LongType, false)
          .add("document", DataTypes.LongType, false);

  private final SparkSession spark;
  private final Boilerplate config;

  /**
   * @param keys of {@link BoilerplateLines}, sorted
   * @param found how many passed, those beyond {@code max-lines} too
   */
  record Lines(long[] keys, long found) {}

  BoilerplateLearner(SparkSession spark, Boilerplate config) {
    this.spark = spark;
    this.config = config;
  }

  /**
   * @param documents as the rules get them
   */
  Lines learn(JavaRDD<Cleaner.Ready> documents) {
    int minCharacters = config.minCharacters();
    JavaRDD<Row> rows = documents.flatMap(ready -> rows(ready.passage(), minCharacters));
    Dataset<Row> counts =
        spark
            .createDataFrame(rows, SCHEMA)
            .distinct()
            .groupBy("site", "line")
            .agg(count(lit(1)).as("documents"))
            .filter(col("documents").geq(config.minDocuments()).or(col("line").equalTo(DOCUMENT)))
            .persist(StorageLevel.DISK_ONLY());
    try {
      return common(counts);
    } finally {
      counts.unpersist(false);
    }
  }

  private Lines common(Dataset<Row> counts) {
    Dataset<Row> sites =
        counts
            .filter(col("line").equalTo(DOCUMENT).and(col("documents").geq(config.minDocuments())))
            .select(col("site"), col("documents").as("all"));
    Dataset<Row> passing =
        counts
            .filter(col("line").notEqual(DOCUMENT))
            .join(sites, "site")
            .filter(col("documents").geq(col("all").multiply(config.minShare())));
    List<Row> lines =
        passing
            .select("line", "documents")
            .orderBy(col("documents").desc(), col("line"))
            .limit(config.maxLines())
            .collectAsList();
    long found = lines.size() < config.maxLines() ? lines.size() : passing.count();
    return new Lines(lines.stream().mapToLong(row -> row.getLong(0)).sorted().toArray(), found);
  }

  private static Iterator<Row> rows(Passage passage, int minCharacters) {
    if (passage.site().isEmpty()) {
      return List.<Row>of().iterator();
    }
    long site = Words.hashOf(passage.site());
    long document = Words.hashOf(passage.text());
    return LongStream.concat(LongStream.of(DOCUMENT), BoilerplateLines.keys(passage, minCharacters))
        .mapToObj(line -> RowFactory.create(site, line, document))
        .iterator();
  }
}
