package caravan.jobs.audit;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.xxhash64;

import caravan.pipeline.Documents;
import caravan.pipeline.IdSet;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.StageReport;
import caravan.pipeline.Storage;
import caravan.pipeline.dedup.Twin;
import com.fasterxml.jackson.core.type.TypeReference;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.FilterFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A finished stage output as a whole: kept and dropped documents, exactly the files its manifest
 * lists.
 *
 * @param directory where it lies
 */
public record StageDocuments(String directory, Manifest manifest) {
  /** A document and what the stage said of it; {@code detail} is empty for kept ones. */
  public static final StructType SCHEMA =
      Documents.SCHEMA
          .add("detail", DataTypes.StringType, false)
          .add("reason", DataTypes.StringType, false);

  /**
   * @throws IllegalArgumentException when the directory is no finished stage output
   */
  public static StageDocuments open(String directory, Configuration hadoop) {
    return new StageDocuments(
        directory, Manifest.read(hadoop, new Path(directory), Manifest.DOCUMENTS));
  }

  /** The stage that made it, such as {@code clean}. */
  public String stage() {
    return manifest.extra().get("stage").toString();
  }

  public StageReport report() {
    return Json.MAPPER.convertValue(manifest.extra().get("report"), StageReport.class);
  }

  /**
   * The settings it was made with, as config.json holds them.
   *
   * @throws IllegalArgumentException when there is no such file
   */
  public Map<String, Object> config(Configuration hadoop) {
    Path file = new Path(directory, "config.json");
    Storage storage = new Storage(hadoop);
    if (!storage.exists(file)) {
      throw new IllegalArgumentException(file + ": missing; run " + stage() + " again");
    }
    try {
      return Json.MAPPER.readValue(storage.read(file), new TypeReference<Map<String, Object>>() {});
    } catch (IOException e) {
      throw new IllegalArgumentException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * One section of {@link #config} as its record.
   *
   * @throws IllegalArgumentException when the section is not what this program reads
   */
  public <C extends Record> C section(String name, Class<C> type, Configuration hadoop) {
    try {
      return Json.MAPPER.convertValue(config(hadoop).get(name), type);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "%s/config.json: its section %s is not what this program reads (%s); run %s again"
              .formatted(directory, name, e.getMessage().lines().findFirst().orElse(""), stage()),
          e);
    }
  }

  /** Documents of an id, kept or dropped, from every source: rows of {@link #SCHEMA}. */
  List<Row> withId(SparkSession spark, String id) {
    return all(spark).filter(col("id").equalTo(id)).orderBy("source", "path").collectAsList();
  }

  /** Whether it was made from raw files, not from another stage's output alone. */
  boolean readsRawFiles(Configuration hadoop) {
    return manifest.inputs().stream()
        .anyMatch(input -> Manifest.find(hadoop, new Path(input.path())).isEmpty());
  }

  /** Kept and dropped documents, {@link #SCHEMA}. */
  public Dataset<Row> all(SparkSession spark) {
    return kept(spark).unionByName(dropped(spark));
  }

  private Dataset<Row> kept(SparkSession spark) {
    return read(spark, "data", Documents.SCHEMA)
        .withColumn("detail", lit(""))
        .withColumn("reason", lit(Documents.KEPT));
  }

  /** Dropped documents, {@link #SCHEMA}. */
  public Dataset<Row> dropped(SparkSession spark) {
    return read(spark, "dropped", SCHEMA);
  }

  /** Documents that were dropped for a reason, a seeded sample in the sample's order. */
  public List<Row> droppedSample(SparkSession spark, String reason, int most, long seed) {
    return dropped(spark)
        .filter(col("reason").equalTo(reason))
        .orderBy(
            xxhash64(lit(seed), col("source"), col("id"), col("path")),
            col("source"),
            col("id"),
            col("path"))
        .limit(most)
        .collectAsList();
  }

  /**
   * Ids of documents that were dropped as duplicates of others, in order.
   *
   * @param ids of those others
   * @param most of them to give
   */
  public List<String> fallenTo(SparkSession spark, IdSet ids, int most) {
    return dropped(spark)
        .select("id", "detail")
        .filter(
            (FilterFunction<Row>)
                row ->
                    Twin.of(row.getString(1)).filter(twin -> ids.contains(twin.id())).isPresent())
        .select("id")
        .orderBy("id")
        .limit(most)
        .collectAsList()
        .stream()
        .map(row -> row.getString(0))
        .toList();
  }

  private Dataset<Row> read(SparkSession spark, String folder, StructType schema) {
    String[] files =
        manifest.files().stream()
            .map(Manifest.OutputFile::path)
            .filter(file -> file.startsWith(folder + "/"))
            .map(file -> new Path(directory, file).toString())
            .toArray(String[]::new);
    if (files.length == 0) {
      return spark.createDataFrame(List.of(), schema);
    }
    return spark
        .read()
        .schema(schema)
        .option("__globPaths__", "false")
        .option("basePath", new Path(directory, folder).toString())
        .parquet(files);
  }
}
