package caravan.jobs.audit;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.levenshtein;
import static org.apache.spark.sql.functions.lit;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.dedup.Twin;
import caravan.pipeline.read.ReadConfig;
import caravan.pipeline.shard.TokenManifest;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * One document through all outputs of a chain.
 *
 * @param raw as it stood in its file; empty when no output was made from raw files
 * @param steps what each stage said of it, in order
 * @param ranges where it lies in token shards
 */
public record Trace(Optional<RawRecord> raw, List<Step> steps, List<Range> ranges) {
  private static final int NEAR = 5;
  private static final int FALLEN = 5;

  /**
   * What one stage said.
   *
   * @param document as the stage wrote it
   * @param twin the document for which it was dropped
   * @param fallen documents that were dropped for it: some of them, for dedup alone
   * @param fallenCount how many these are
   */
  public record Step(
      StageDocuments stage,
      Document document,
      String reason,
      String detail,
      Optional<Found> twin,
      List<String> fallen,
      long fallenCount) {
    public boolean isKept() {
      return reason.equals(Documents.KEPT);
    }
  }

  /** A twin, and its document where the output still has it. */
  public record Found(Twin twin, Optional<Document> document) {}

  /**
   * A place in token shards.
   *
   * @param shard such as {@code train/shard-00000}
   * @param start in tokens
   * @param end in tokens
   */
  public record Range(String directory, String shard, long start, long end) {}

  /**
   * The traces of an id: one for each source that has a document of this id.
   *
   * @throws IllegalArgumentException when no output has it, naming ids that look alike
   */
  public static List<Trace> of(SparkSession spark, OutputChain chain, String id) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    List<Step> steps = new ArrayList<>();
    for (StageDocuments stage : chain.stages()) {
      for (Row row : stage.withId(spark, id)) {
        steps.add(step(spark, stage, row));
      }
    }
    List<Row> ranges = new ArrayList<>();
    for (OutputChain.Tokens tokens : chain.tokens()) {
      provenance(spark, tokens)
          .filter(col("id").equalTo(id))
          .orderBy("source", "shard", "start")
          .collectAsList()
          .forEach(ranges::add);
    }
    if (steps.isEmpty() && ranges.isEmpty()) {
      throw new IllegalArgumentException(unknown(spark, chain, id));
    }
    List<String> sources =
        Stream.concat(
                steps.stream().map(step -> step.document().source()),
                ranges.stream().map(row -> row.<String>getAs("source")))
            .distinct()
            .toList();
    return sources.stream().map(source -> trace(spark, hadoop, source, steps, ranges)).toList();
  }

  private static Trace trace(
      SparkSession spark, Configuration hadoop, String source, List<Step> steps, List<Row> ranges) {
    List<Step> own = steps.stream().filter(s -> s.document().source().equals(source)).toList();
    Optional<RawRecord> raw =
        own.stream()
            .filter(step -> step.stage().readsRawFiles(hadoop))
            .findFirst()
            .map(
                step ->
                    RawRecord.find(
                        spark,
                        step.stage().manifest().inputs(),
                        step.stage().section("read", ReadConfig.class, hadoop),
                        step.document()));
    return new Trace(
        raw,
        own,
        ranges.stream()
            .filter(row -> row.getAs("source").equals(source))
            .map(
                row ->
                    new Range(
                        row.getAs("directory"),
                        row.getAs("shard"),
                        row.getAs("start"),
                        row.getAs("end")))
            .toList());
  }

  private static Step step(SparkSession spark, StageDocuments stage, Row row) {
    Document document = Documents.fromRow(row);
    String detail = row.getAs("detail");
    Optional<Found> twin =
        Twin.of(detail)
            .map(
                found ->
                    new Found(
                        found,
                        stage.withId(spark, found.id()).stream()
                            .filter(r -> r.getAs("reason").equals(Documents.KEPT))
                            .map(Documents::fromRow)
                            .findFirst()));
    List<String> fallen = List.of();
    long count = 0;
    if (stage.stage().equals("dedup") && row.getAs("reason").equals(Documents.KEPT)) {
      Column names =
          col("detail")
              .startsWith("near duplicate of " + document.id() + ", Jaccard ")
              .or(col("detail").startsWith("same text as " + document.id() + ", Jaccard "));
      Dataset<Row> dropped = stage.dropped(spark).filter(names);
      count = dropped.count();
      fallen =
          dropped.orderBy("id", "source").limit(FALLEN).select("id").collectAsList().stream()
              .map(r -> r.getString(0))
              .toList();
    }
    return new Step(stage, document, row.getAs("reason"), detail, twin, fallen, count);
  }

  static Dataset<Row> provenance(SparkSession spark, OutputChain.Tokens tokens) {
    String[] files =
        tokens.manifest().files().stream()
            .map(file -> file.path())
            .filter(file -> file.startsWith(TokenManifest.PROVENANCE + "/"))
            .map(file -> new Path(tokens.directory(), file).toString())
            .toArray(String[]::new);
    return spark
        .read()
        .option("__globPaths__", "false")
        .parquet(files)
        .withColumn("directory", lit(tokens.directory()));
  }

  static String unknown(SparkSession spark, OutputChain chain, String id) {
    String searched =
        chain.stages().stream()
            .map(
                stage ->
                    String.format(
                        "%s (%,d documents)",
                        stage.directory(), stage.report().input().documents()))
            .collect(Collectors.joining(", "));
    Column distance = levenshtein(col("id"), lit(id));
    List<String> near =
        chain.stages().stream()
            .map(stage -> stage.all(spark).select("id"))
            .reduce(Dataset::union)
            .map(
                ids ->
                    ids.filter(
                            distance.leq(Math.max(2, id.length() / 5)).or(col("id").startsWith(id)))
                        .distinct()
                        .orderBy(distance, col("id"))
                        .limit(NEAR)
                        .collectAsList())
            .orElse(List.of())
            .stream()
            .map(row -> row.getString(0))
            .toList();
    return "id %s: no document of this id in %s. %s"
        .formatted(
            id,
            searched.isEmpty() ? "the token shards" : searched,
            near.isEmpty()
                ? "No id looks alike; inspect shows some"
                : "Ids that look alike: " + String.join(", ", near));
  }
}
