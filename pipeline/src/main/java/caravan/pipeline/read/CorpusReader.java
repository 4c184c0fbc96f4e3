package caravan.pipeline.read;

import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Documents from raw files of any format and from stage outputs. A document's id is the record's
 * own ({@code read.id-field}) or made from source name, path below the input and position, so that
 * moving the input changes no id.
 *
 * <p>Records that are no documents are among the rows, marked as {@link Documents#unreadable}.
 */
public final class CorpusReader {
  private CorpusReader() {}

  /**
   * @return rows of {@link Documents#SCHEMA}; reading happens when they are used
   * @throws IllegalArgumentException when a file's format is not known from its name, or two files
   *     have the same source name and relative path
   */
  public static Dataset<Row> read(SparkSession spark, Inputs inputs, ReadConfig config) {
    Dataset<Row> documents = spark.createDataFrame(List.of(), Documents.SCHEMA);
    List<String> stageFiles = new ArrayList<>();
    Map<ReadConfig.Format, List<SourceFile>> rawFiles = new EnumMap<>(ReadConfig.Format.class);
    Map<String, String> known = new HashMap<>();
    for (Inputs.Root root : inputs.roots()) {
      for (Inputs.InputFile file : root.files()) {
        if (root.manifest().isPresent()) {
          stageFiles.add(file.path());
        } else {
          SourceFile source = sourceFile(root, file, config);
          refuseTwin(known, source);
          rawFiles.computeIfAbsent(format(source, config), f -> new ArrayList<>()).add(source);
        }
      }
    }
    if (!stageFiles.isEmpty()) {
      documents = documents.unionByName(stageOutput(spark, stageFiles));
    }
    for (var entry : rawFiles.entrySet()) {
      JavaRDD<Row> rows = rows(spark, entry.getKey(), entry.getValue(), new Records(config));
      documents = documents.union(spark.createDataFrame(rows, Documents.SCHEMA));
    }
    return documents;
  }

  private static Dataset<Row> stageOutput(SparkSession spark, List<String> files) {
    return spark
        .read()
        .schema(Documents.SCHEMA)
        .option("__globPaths__", "false")
        .parquet(files.toArray(String[]::new));
  }

  private static JavaRDD<Row> rows(
      SparkSession spark, ReadConfig.Format format, List<SourceFile> files, Records records) {
    JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
    return switch (format) {
      case TEXT -> WholeFiles.read(spark, files, WholeFiles.text(records));
      case HTML -> WholeFiles.read(spark, files, new HtmlFiles(records));
      case LINES -> LineFiles.read(sc, files, new PlainLines(records));
      case JSONL -> LineFiles.read(sc, files, new JsonLines(records));
      case CSV -> CsvFiles.read(sc, files, records);
      case PARQUET -> ParquetFiles.read(spark, files, records);
      case AUTO -> throw new IllegalStateException("auto was resolved before");
    };
  }

  private static SourceFile sourceFile(Inputs.Root root, Inputs.InputFile file, ReadConfig config) {
    String source = config.source().isEmpty() ? root.name() : config.source();
    return new SourceFile(file.path(), file.relativePath(), source);
  }

  private static void refuseTwin(Map<String, String> known, SourceFile file) {
    String earlier = known.put(file.source() + "\0" + file.relativePath(), file.path());
    if (earlier != null) {
      throw new IllegalArgumentException(
          "input: %s and %s would share their ids (source %s, path %s); read them from their common directory"
              .formatted(earlier, file.path(), file.source(), file.relativePath()));
    }
  }

  private static ReadConfig.Format format(SourceFile file, ReadConfig config) {
    if (config.format() != ReadConfig.Format.AUTO) {
      return config.format();
    }
    String name = file.relativePath().toLowerCase(Locale.ROOT).replaceFirst("\\.(gz|bz2)$", "");
    return switch (name.substring(name.lastIndexOf('.') + 1)) {
      case "txt", "md", "text" -> ReadConfig.Format.TEXT;
      case "jsonl", "ndjson", "json" -> ReadConfig.Format.JSONL;
      case "csv", "tsv" -> ReadConfig.Format.CSV;
      case "parquet" -> ReadConfig.Format.PARQUET;
      case "html", "htm", "xhtml" -> ReadConfig.Format.HTML;
      default ->
          throw new IllegalArgumentException(
              file.path()
                  + ": its name does not tell its format; set read.format to text, lines, jsonl,"
                  + " csv, parquet or html, or give a glob of the files to read");
    };
  }
}
