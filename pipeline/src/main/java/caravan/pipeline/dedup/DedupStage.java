package caravan.pipeline.dedup;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.first;
import static org.apache.spark.sql.functions.format_string;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.map;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.min;
import static org.apache.spark.sql.functions.negate;
import static org.apache.spark.sql.functions.row_number;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.udf;
import static org.apache.spark.sql.functions.when;

import caravan.pipeline.Documents;
import caravan.pipeline.Stage;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.expressions.WindowSpec;
import org.apache.spark.sql.types.DataTypes;

/**
 * Drops exact and near duplicates. Texts equal up to white space are exact duplicates ({@link
 * TextKey}). Among the different texts, MinHash LSH proposes pairs, the exact Jaccard similarity of
 * their shingles confirms those at or above the configured minimum, and the connected components
 * are clusters: a document can fall to a chain of near duplicates, as the similarity in its detail
 * then shows.
 *
 * <p>One document of each cluster stays: the longest in code points; among equals the one whose
 * source comes first in {@code source-priority}; then the smallest id, source and path. The detail
 * of each dropped document names that survivor and the exact similarity to it. A copy of a text
 * that is itself a near duplicate of the survivor counts as {@code near_duplicate}: the reason says
 * how the document relates to what stayed.
 *
 * <p>The result depends on the documents, the configuration and the seed alone, never on
 * partitioning or order.
 */
public final class DedupStage implements Stage {
  public static final String EXACT_DUPLICATE = "exact_duplicate";
  public static final String NEAR_DUPLICATE = "near_duplicate";

  private final DedupConfig config;
  private final NearDuplicates near;
  private final UserDefinedFunction key = udf(new Keys(), DataTypes.LongType);
  private final Map<String, Long> counts = new TreeMap<>();

  /**
   * @param seed chooses the MinHash permutations
   */
  public DedupStage(DedupConfig config, long seed) {
    this.config = config;
    this.near = new NearDuplicates(config, seed);
  }

  @Override
  public String name() {
    return "dedup";
  }

  @Override
  public Dataset<Row> apply(Dataset<Row> documents) {
    try (CachedRows texts = new CachedRows(distinctTexts(documents));
        CachedRows candidates = new CachedRows(near.candidates(texts.rows()))) {
      counts.put("candidate_pairs", candidates.count());
      Dataset<Row> keyedTexts = documents.select(key.apply(col("text")).as("key"), col("text"));
      try (CachedRows sets = new CachedRows(near.shingleSets(keyedTexts, candidates));
          CachedRows edges = new CachedRows(similarPairs(candidates, sets.rows()));
          CachedRows components = ConnectedComponents.of(edges.rows());
          CachedRows clusters = new CachedRows(clusters(texts.rows(), components.rows()));
          CachedRows fallen = new CachedRows(fallen(clusters.rows()))) {
        // Stays cached for the caller, who runs what is returned.
        CachedRows verdicts = new CachedRows(verdicts(fallen, sets.rows()));
        counts.put("near_duplicate_pairs", edges.count());
        counts.put("near_duplicate_texts", verdicts.count());
        countClusters(clusters.rows());
        return tagged(documents, verdicts.rows());
      }
    }
  }

  private Dataset<Row> similarPairs(CachedRows candidates, Dataset<Row> sets) {
    return near.similarities(candidates, sets)
        .filter(col("similarity").geq(config.minimumSimilarity()));
  }

  /** Counts of the last {@link #apply}: pairs compared, pairs and texts found similar, clusters. */
  @Override
  public Map<String, Long> counts() {
    return Collections.unmodifiableMap(counts);
  }

  /** Rows (key, buckets, best: struct in order of preference, copies), one for each text. */
  private Dataset<Row> distinctTexts(Dataset<Row> documents) {
    return documents
        .select(
            key.apply(col("text")).as("key"),
            near.buckets(col("text")).as("buckets"),
            struct(preference()).as("best"))
        .groupBy("key")
        .agg(first("buckets").as("buckets"), min("best").as("best"), count(lit(1)).as("copies"));
  }

  /** What decides who stays, in ascending order. */
  private Column[] preference() {
    Column rank = lit(config.sourcePriority().size());
    for (int place = config.sourcePriority().size() - 1; place >= 0; place--) {
      String source = config.sourcePriority().get(place);
      rank = when(col("source").equalTo(source), lit(place)).otherwise(rank);
    }
    return new Column[] {
      negate(length(col("text"))).as("length"),
      rank.as("rank"),
      col("id"),
      col("source"),
      col("path")
    };
  }

  /** Rows (key, place, survivor: struct, size): the texts of clusters of two documents or more. */
  private static Dataset<Row> clusters(Dataset<Row> texts, Dataset<Row> components) {
    WindowSpec cluster = Window.partitionBy("root");
    WindowSpec ranked = cluster.orderBy("best", "key");
    return texts
        .join(components, texts.col("key").equalTo(components.col("node")), "left")
        .withColumn("root", coalesce(col("smaller"), col("key")))
        .select(
            col("key"),
            row_number().over(ranked).as("place"),
            first(struct(col("key"), col("best.id").as("id"))).over(ranked).as("survivor"),
            sum("copies").over(cluster).as("size"))
        .filter(col("size").gt(1));
  }

  /** Rows (a: key, b: the survivor's key, survivor: its id): texts that are dropped for another. */
  private static Dataset<Row> fallen(Dataset<Row> clusters) {
    return clusters
        .filter(col("place").gt(1))
        .select(col("key").as("a"), col("survivor.key").as("b"), col("survivor.id").as("survivor"));
  }

  /** Rows (fallen: key, survivor: id, similarity). */
  private Dataset<Row> verdicts(CachedRows fallen, Dataset<Row> sets) {
    Dataset<Row> similarities = near.similarities(fallen, sets).select("a", "similarity");
    return fallen
        .rows()
        .join(similarities, "a")
        .select(col("a").as("fallen"), col("survivor"), col("similarity"));
  }

  private void countClusters(Dataset<Row> clusters) {
    Row sums =
        clusters
            .filter(col("place").equalTo(1))
            .agg(count(lit(1)), coalesce(sum("size"), lit(0L)), coalesce(max("size"), lit(0L)))
            .first();
    counts.put("clusters", sums.getLong(0));
    counts.put("documents_in_clusters", sums.getLong(1));
    counts.put("largest_cluster", sums.getLong(2));
  }

  private Dataset<Row> tagged(Dataset<Row> documents, Dataset<Row> verdicts) {
    WindowSpec copies = Window.partitionBy("key").orderBy("best", "text");
    Column isNear = col("survivor").isNotNull();
    Column isCopy = col("place").gt(1);
    List<Column> columns = new ArrayList<>();
    for (String name : Documents.SCHEMA.fieldNames()) {
      columns.add(col(name));
    }
    columns.add(
        when(isNear, NEAR_DUPLICATE)
            .when(isCopy, EXACT_DUPLICATE)
            .otherwise(Documents.KEPT)
            .as("reason"));
    columns.add(
        when(
                isNear,
                format_string(
                    "near duplicate of %s, Jaccard %.3f", col("survivor"), col("similarity")))
            .when(isCopy, format_string("same text as %s, Jaccard 1.000", col("firstId")))
            .otherwise("")
            .as("detail"));
    columns.add(length(col("text")).cast("long").as("inputCharacters"));
    columns.add(map().cast("map<string,bigint>").as("edits"));
    Dataset<Row> keyed =
        documents
            .withColumn("key", key.apply(col("text")))
            .withColumn("best", struct(preference()));
    return keyed
        .join(verdicts, col("key").equalTo(col("fallen")), "left")
        .withColumn("place", row_number().over(copies))
        .withColumn("firstId", first("id").over(copies))
        .select(columns.toArray(Column[]::new));
  }

  /**
   * Text to {@link TextKey}. Spark gives each task a copy of its own, so the buffer may be kept.
   */
  private static final class Keys implements UDF1<String, Long> {
    private transient TextKey key;

    @Override
    public Long call(String text) {
      if (key == null) {
        key = new TextKey();
      }
      return key.of(text);
    }
  }
}
