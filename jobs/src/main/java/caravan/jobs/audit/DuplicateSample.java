package caravan.jobs.audit;

import static org.apache.spark.sql.functions.char_length;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.floor;
import static org.apache.spark.sql.functions.greatest;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.log10;
import static org.apache.spark.sql.functions.regexp_extract;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.dedup.DedupStage;
import caravan.pipeline.dedup.Twin;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * What a dedup dropped: how alike the duplicates were, how long all documents are, and some pairs.
 *
 * @param similarities near duplicates per Jaccard similarity to the document that stayed
 * @param lengths kept and dropped documents by length
 * @param pairs near duplicates and what they were dropped for
 */
public record DuplicateSample(
    Map<Double, Long> similarities, List<Length> lengths, List<Pair> pairs) {
  private static final long SEED = 0;

  /** Classes of length per power of ten. */
  private static final int CLASSES = 100;

  /**
   * @param characters the shortest length of the class
   * @param documents how many there are
   */
  public record Length(double characters, boolean kept, long documents) {}

  /** A dropped document and the one that stayed. */
  public record Pair(Document dropped, Document stayed, double similarity) {}

  /**
   * Counts all documents and picks some pairs.
   *
   * @param pairs how many
   */
  public static DuplicateSample of(SparkSession spark, StageDocuments dedup, int pairs) {
    Map<Double, Long> similarities = new TreeMap<>();
    dedup
        .dropped(spark)
        .filter(col("reason").equalTo(DedupStage.NEAR_DUPLICATE))
        .groupBy(regexp_extract(col("detail"), ", Jaccard ([0-9.]+)$", 1).cast("double"))
        .count()
        .collectAsList()
        .forEach(row -> similarities.put(row.getDouble(0), row.getLong(1)));
    return new DuplicateSample(similarities, lengths(spark, dedup), pairs(spark, dedup, pairs));
  }

  private static List<Length> lengths(SparkSession spark, StageDocuments dedup) {
    return dedup
        .all(spark)
        .groupBy(
            col("reason").equalTo(Documents.KEPT).as("kept"),
            floor(log10(greatest(char_length(col("text")), lit(1))).multiply(CLASSES)).as("class"))
        .agg(count(lit(1)))
        .orderBy("class", "kept")
        .collectAsList()
        .stream()
        .map(
            row ->
                new Length(
                    Math.pow(10, (double) row.getLong(1) / CLASSES),
                    row.getBoolean(0),
                    row.getLong(2)))
        .toList();
  }

  private static List<Pair> pairs(SparkSession spark, StageDocuments dedup, int most) {
    List<Row> sample = dedup.droppedSample(spark, DedupStage.NEAR_DUPLICATE, most, SEED);
    Object[] ids =
        sample.stream()
            .flatMap(row -> Twin.of(row.<String>getAs("detail")).stream())
            .map(Twin::id)
            .distinct()
            .toArray();
    Map<String, Document> stayed = new HashMap<>();
    dedup
        .all(spark)
        .filter(col("reason").equalTo(Documents.KEPT).and(col("id").isin(ids)))
        .collectAsList()
        .forEach(row -> stayed.put(row.getAs("id"), Documents.fromRow(row)));
    List<Pair> pairs = new ArrayList<>();
    for (Row row : sample) {
      Twin twin = Twin.of(row.<String>getAs("detail")).orElseThrow();
      if (stayed.containsKey(twin.id())) {
        pairs.add(new Pair(Documents.fromRow(row), stayed.get(twin.id()), twin.similarity()));
      }
    }
    return pairs;
  }
}
