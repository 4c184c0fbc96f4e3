package caravan.jobs.audit;

import static org.apache.spark.sql.functions.broadcast;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.row_number;
import static org.apache.spark.sql.functions.when;
import static org.apache.spark.sql.functions.xxhash64;

import caravan.jobs.audit.RunDiff.Change;
import caravan.jobs.audit.RunDiff.Sample;
import caravan.jobs.audit.RunDiff.Transition;
import caravan.pipeline.Documents;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;

/**
 * Joins two outputs of a stage document by document. A document is the same when id and source are;
 * of several with the same id and source, the first of one run is compared with the first of the
 * other, in the order of path and text. Texts are compared by their 64-bit hashes: two that differ
 * pass for equal once in 2^64.
 */
final class RunComparison implements AutoCloseable {
  private static final int EXCERPT = 160;
  private static final int CONTEXT = 20;
  private static final int CHANGES = 3;
  private static final String SAME = "SAME";
  private static final StructType KEYS =
      new StructType()
          .add("source", DataTypes.StringType, false)
          .add("id", DataTypes.StringType, false);

  private final SparkSession spark;
  private final StageDocuments first;
  private final StageDocuments second;
  private final Dataset<Row> joined;

  RunComparison(SparkSession spark, StageDocuments first, StageDocuments second) {
    this.spark = spark;
    this.first = first;
    this.second = second;
    this.joined = joined().persist(StorageLevel.DISK_ONLY());
  }

  /** Documents that both decided alike, with the same text. */
  long same() {
    return joined.filter(col("change").equalTo(SAME)).count();
  }

  /**
   * What changed; within a kind of change the most frequent first.
   *
   * @param samples documents to show of each transition
   * @param seed chooses them
   */
  List<Transition> transitions(int samples, long seed) {
    Map<List<String>, Map<String, Long>> counts = counts();
    List<Row> picked = picked(samples, seed);
    Map<List<String>, String> firstTexts = texts(first, picked, "text1");
    Map<List<String>, String> secondTexts = texts(second, picked, "text2");
    Map<List<String>, List<Sample>> shown = new HashMap<>();
    for (Row row : picked) {
      String before = firstTexts.getOrDefault(key(row, "text1"), "");
      String after = secondTexts.getOrDefault(key(row, "text2"), "");
      shown
          .computeIfAbsent(transition(row), t -> new ArrayList<>())
          .add(sample(row, before, after));
    }
    List<Transition> transitions = new ArrayList<>();
    counts.forEach(
        (transition, languages) ->
            transitions.add(
                new Transition(
                    Change.valueOf(transition.get(0)),
                    transition.get(1),
                    transition.get(2),
                    languages.values().stream().mapToLong(Long::longValue).sum(),
                    languages,
                    shown.getOrDefault(transition, List.of()))));
    transitions.sort(Comparator.comparing(Transition::change).thenComparing(t -> -t.documents()));
    return transitions;
  }

  private Dataset<Row> joined() {
    Column change =
        when(col("reason1").isNull(), name(Change.ONLY_IN_SECOND))
            .when(col("reason2").isNull(), name(Change.ONLY_IN_FIRST))
            .when(
                col("reason1").equalTo(Documents.KEPT).and(col("reason2").notEqual(Documents.KEPT)),
                name(Change.KEPT_TO_DROPPED))
            .when(
                col("reason1").notEqual(Documents.KEPT).and(col("reason2").equalTo(Documents.KEPT)),
                name(Change.DROPPED_TO_KEPT))
            .when(col("reason1").notEqual(col("reason2")), name(Change.REASON))
            .when(col("language1").notEqual(col("language2")), name(Change.LANGUAGE))
            .when(col("text1").notEqual(col("text2")), name(Change.TEXT))
            .otherwise(lit(SAME));
    return side(first, "1")
        .join(side(second, "2"), new String[] {"source", "id", "place"}, "full_outer")
        .withColumn("change", change)
        .withColumn("from", coalesce(col("reason1"), lit("")))
        .withColumn("to", coalesce(col("reason2"), lit("")));
  }

  private static Column name(Change change) {
    return lit(change.name());
  }

  /** One output without its texts. */
  private Dataset<Row> side(StageDocuments documents, String number) {
    Column text = xxhash64(col("text"));
    return documents
        .all(spark)
        .select(
            col("source"),
            col("id"),
            row_number()
                .over(Window.partitionBy("source", "id").orderBy(col("path"), text))
                .as("place"),
            col("path").as("path" + number),
            col("language").as("language" + number),
            col("reason").as("reason" + number),
            col("detail").as("detail" + number),
            text.as("text" + number));
  }

  /** Documents per language of each transition (change, from, to). */
  private Map<List<String>, Map<String, Long>> counts() {
    Map<List<String>, Map<String, Long>> counts = new LinkedHashMap<>();
    joined
        .filter(col("change").notEqual(SAME))
        .groupBy(
            col("change"),
            col("from"),
            col("to"),
            coalesce(col("language2"), col("language1")).as("language"))
        .agg(count(lit(1)).as("documents"))
        .orderBy("change", "from", "to", "language")
        .collectAsList()
        .forEach(
            row ->
                counts
                    .computeIfAbsent(transition(row), t -> new TreeMap<>())
                    .put(row.getAs("language"), row.getAs("documents")));
    return counts;
  }

  private List<Row> picked(int samples, long seed) {
    Column order = xxhash64(lit(seed), col("source"), col("id"));
    return joined
        .filter(col("change").notEqual(SAME))
        .withColumn(
            "rank",
            row_number()
                .over(
                    Window.partitionBy("change", "from", "to")
                        .orderBy(order, col("source"), col("id"), col("place"))))
        .filter(col("rank").leq(samples))
        .orderBy("change", "from", "to", "rank")
        .collectAsList();
  }

  /** Texts of the picked documents by source, id and hash. */
  private Map<List<String>, String> texts(
      StageDocuments documents, List<Row> picked, String column) {
    List<Row> keys =
        picked.stream()
            .filter(row -> row.getAs(column) != null)
            .map(row -> RowFactory.create(row.<String>getAs("source"), row.<String>getAs("id")))
            .distinct()
            .toList();
    Map<List<String>, String> texts = new HashMap<>();
    documents
        .all(spark)
        .join(broadcast(spark.createDataFrame(keys, KEYS)), new String[] {"source", "id"})
        .select(col("source"), col("id"), xxhash64(col("text")).as(column), col("text"))
        .collectAsList()
        .forEach(row -> texts.put(key(row, column), row.getAs("text")));
    return texts;
  }

  private static List<String> key(Row row, String hash) {
    return List.of(row.getAs("source"), row.getAs("id"), String.valueOf(row.<Long>getAs(hash)));
  }

  private static List<String> transition(Row row) {
    return List.of(row.getAs("change"), row.getAs("from"), row.getAs("to"));
  }

  private static Sample sample(Row row, String before, String after) {
    boolean inBoth = row.getAs("reason1") != null && row.getAs("reason2") != null;
    boolean inSecond = row.getAs("reason2") != null;
    return new Sample(
        row.getAs("id"),
        row.getAs("source"),
        row.getAs(inSecond ? "path2" : "path1"),
        orNothing(row, "detail1"),
        orNothing(row, "detail2"),
        List.of(orNothing(row, "language1"), orNothing(row, "language2")),
        Excerpt.line(inSecond ? after : before, EXCERPT),
        inBoth ? TextChanges.first(before, after, CONTEXT, CHANGES) : List.of());
  }

  private static String orNothing(Row row, String column) {
    String value = row.getAs(column);
    return value == null ? "" : value;
  }

  @Override
  public void close() {
    joined.unpersist();
  }
}
