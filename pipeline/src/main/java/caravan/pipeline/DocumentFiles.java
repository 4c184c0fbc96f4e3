package caravan.pipeline;

import static org.apache.spark.sql.functions.array_sort;
import static org.apache.spark.sql.functions.char_length;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.map_entries;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.xxhash64;

import caravan.pipeline.StageReport.Group;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;

/** The Parquet files of a stage output: written, listed, counted, cleaned. */
final class DocumentFiles {
  /** Kept documents. */
  static final String DATA = "data";

  /** Dropped documents, one directory per reason. */
  static final String DROPPED = "dropped";

  private final SparkSession spark;
  private final Storage storage;
  private final Path directory;

  /**
   * @param directory qualified
   */
  DocumentFiles(SparkSession spark, Storage storage, Path directory) {
    this.spark = spark;
    this.storage = storage;
    this.directory = directory;
  }

  /** Adds rows of {@link Documents#TAGGED_SCHEMA} as files with new names. */
  void write(Dataset<Row> tagged) {
    Column kept = col("reason").equalTo(Documents.KEPT);
    append(tagged.filter(kept).select(columns()), DATA);
    append(tagged.filter(kept.unary_$bang()).select(columns("detail", "reason")), DROPPED);
  }

  private void append(Dataset<Row> rows, String name) {
    var writer =
        rows.write()
            .mode(SaveMode.Append)
            .option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false");
    if (name.equals(DROPPED)) {
      writer.partitionBy("reason");
    }
    writer.parquet(new Path(directory, name).toString());
  }

  /** Files below data/ and dropped/ but those in {@code known}; paths relative to the output. */
  List<String> except(Set<String> known) {
    List<String> files = new ArrayList<>();
    for (String name : List.of(DATA, DROPPED)) {
      storage.filesBelow(new Path(directory, name)).stream()
          .map(status -> Manifest.relative(directory, storage.qualify(status.getPath())))
          .filter(file -> !known.contains(file))
          .forEach(files::add);
    }
    return files;
  }

  /** Files with documents among {@link #except}: Spark's own marks are hidden. */
  List<String> documentsExcept(Set<String> known) {
    return except(known).stream()
        .filter(file -> file.endsWith(".parquet"))
        .filter(file -> Arrays.stream(file.split("/")).noneMatch(n -> n.matches("[_.].*")))
        .toList();
  }

  void deleteExcept(Set<String> known) {
    except(known).forEach(file -> storage.delete(new Path(directory, file)));
  }

  /** Kept documents in these files, {@link Documents#SCHEMA}. */
  Dataset<Row> kept(List<String> files) {
    return spark
        .read()
        .schema(Documents.SCHEMA)
        .option("__globPaths__", "false")
        .parquet(paths(DATA, files));
  }

  private Dataset<Row> dropped(List<String> files) {
    var schema =
        Documents.SCHEMA
            .add("detail", DataTypes.StringType, false)
            .add("reason", DataTypes.StringType, false);
    return spark
        .read()
        .schema(schema)
        .option("__globPaths__", "false")
        .option("basePath", new Path(directory, DROPPED).toString())
        .parquet(paths(DROPPED, files));
  }

  private String[] paths(String name, List<String> files) {
    return files.stream()
        .filter(file -> file.startsWith(name + "/"))
        .map(file -> new Path(directory, file).toString())
        .toArray(String[]::new);
  }

  /**
   * What lies in files.
   *
   * @param groups per verdict, source and language, with {@code inputCharacters} not known (0)
   * @param contentHash the multiset of all rows
   */
  record Content(List<Group> groups, String contentHash) {}

  /** Reads the files back: one pass for counts and content hash. */
  Content content(List<String> files) {
    Dataset<Row> rows =
        kept(files)
            .select(columns())
            .withColumn("detail", lit(""))
            .withColumn("reason", lit("kept"));
    if (files.stream().anyMatch(file -> file.startsWith(DROPPED + "/"))) {
      rows = rows.union(dropped(files).select(columns("detail", "reason")));
    }
    List<Row> sums =
        rows.groupBy("reason", "source", "language")
            .agg(
                count(lit(1)).as("documents"),
                sum(char_length(col("text")).cast("long")).as("characters"),
                sum(rowHash("first")).as("first"),
                sum(rowHash("second")).as("second"))
            .collectAsList();
    List<List<String>> hashed =
        sums.stream()
            .map(r -> List.of(groupOf(r).toString(), r.getDecimal(5) + " " + r.getDecimal(6)))
            .sorted(Comparator.comparing(Object::toString))
            .toList();
    return new Content(sums.stream().map(DocumentFiles::groupOf).toList(), Json.sha256(hashed));
  }

  private static Group groupOf(Row r) {
    return new Group(r.getString(0), r.getString(1), r.getString(2), r.getLong(3), 0, r.getLong(4));
  }

  /** 64 bits of a row, salted; as a decimal, whose sum over rows is exact in any order. */
  private static Column rowHash(String salt) {
    return xxhash64(
            lit(salt),
            col("id"),
            col("source"),
            col("path"),
            col("language"),
            col("text"),
            array_sort(map_entries(col("meta"))),
            col("reason"),
            col("detail"))
        .cast("decimal(20,0)");
  }

  private static Column[] columns(String... more) {
    List<Column> columns = new ArrayList<>();
    for (String name : Documents.SCHEMA.fieldNames()) {
      columns.add(col(name));
    }
    for (String name : more) {
      columns.add(col(name));
    }
    return columns.toArray(Column[]::new);
  }
}
