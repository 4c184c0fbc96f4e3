package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.DocumentSource;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Documents from raw files of any format and from stage outputs. A document's id is the record's
 * own ({@code read.id-field}) or made from source name, path below the input and position, so that
 * moving the input changes no id.
 *
 * <p>Records that are no documents are among the documents, marked as {@link Documents#unreadable}.
 */
public final class CorpusReader implements DocumentSource {
  /** Stored bytes per task that read Spark's way. */
  private static final long ROWS_BYTES = 32L << 20;

  /** Bounds of the stored bytes per task that reads {@link #documents}. */
  private static final long MIN_BYTES = 4L << 20;

  private static final long MAX_BYTES = 64L << 20;

  private final Records records;

  /** Too many to be sent to every task. */
  private final transient List<SourceFile> files = new ArrayList<>();

  private final transient List<String> stageFiles = new ArrayList<>();

  /**
   * @throws IllegalArgumentException when a file's format is not known from its name, or two files
   *     have the same source name and relative path
   */
  public CorpusReader(Inputs inputs, ReadConfig config) {
    this.records = new Records(config);
    Map<String, String> known = new HashMap<>();
    for (Inputs.Root root : inputs.roots()) {
      boolean ours = root.manifest().isPresent();
      String source = config.source().isEmpty() ? root.name() : config.source();
      for (Inputs.InputFile f : root.files()) {
        SourceFile file =
            new SourceFile(
                f.path(), f.relativePath(), ours ? "" : source, f.size(), f.fingerprint());
        files.add(file);
        if (ours) {
          stageFiles.add(f.path());
        } else {
          refuseTwin(known, file);
          format(file); // refuses what nobody can read before any work is done
        }
      }
    }
  }

  private static void refuseTwin(Map<String, String> known, SourceFile file) {
    String earlier = known.put(file.source() + "\0" + file.relativePath(), file.path());
    if (earlier != null) {
      throw new IllegalArgumentException(
          "input: %s and %s would share their ids (source %s, path %s); read them from their common directory"
              .formatted(earlier, file.path(), file.source(), file.relativePath()));
    }
  }

  @Override
  public List<SourceFile> files() {
    return List.copyOf(files);
  }

  @Override
  public List<Split> splits(List<Split> done, long bytes) {
    SplitPlan plan = new SplitPlan(done, bytes);
    return files.stream().flatMap(f -> plan.of(f, format(f).cut(f)).stream()).toList();
  }

  @Override
  public DocumentIterator open(Split split, Storage storage) throws IOException {
    return new Metered(format(split.file()).open(split, storage), split.bytes());
  }

  /**
   * @return rows of {@link Documents#SCHEMA}; reading happens when they are used
   */
  public Dataset<Row> rows(SparkSession spark) {
    Dataset<Row> rows =
        stageFiles.isEmpty()
            ? spark.createDataFrame(List.of(), Documents.SCHEMA)
            : spark
                .read()
                .schema(Documents.SCHEMA)
                .option("__globPaths__", "false")
                .parquet(stageFiles.toArray(String[]::new));
    List<Split> raw =
        splits(List.of(), ROWS_BYTES).stream().filter(s -> !isStageFile(s.file())).toList();
    return raw.isEmpty()
        ? rows
        : rows.union(spark.createDataFrame(rawRows(spark, raw), Documents.SCHEMA));
  }

  /**
   * Readers of all documents, for a {@link caravan.pipeline.Stage}: the same documents in the same
   * order each time they are used.
   */
  public JavaRDD<DocumentIterator> documents(SparkSession spark) {
    JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
    SerializableConfiguration conf = new SerializableConfiguration(sc.hadoopConfiguration());
    long total = files.stream().mapToLong(SourceFile::size).sum();
    long bytes = Math.max(MIN_BYTES, Math.min(MAX_BYTES, total / (4L * sc.defaultParallelism())));
    List<Split> splits = splits(List.of(), bytes);
    int tasks = (int) Math.max(1, Math.min(splits.size(), total / bytes + 1));
    return sc.parallelize(splits, tasks).map(split -> open(split, new Storage(conf.value())));
  }

  private JavaRDD<Row> rawRows(SparkSession spark, List<Split> splits) {
    JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
    SerializableConfiguration conf = new SerializableConfiguration(sc.hadoopConfiguration());
    return sc.parallelize(splits, Math.min(splits.size(), 10_000))
        .flatMap(split -> rows(split, conf.value()));
  }

  private Iterator<Row> rows(Split split, Configuration conf) throws IOException {
    DocumentIterator documents = open(split, new Storage(conf));
    TaskContext.get()
        .addTaskCompletionListener(
            context -> {
              try {
                documents.close();
              } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
              }
            });
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return documents.hasNext();
      }

      @Override
      public Row next() {
        return Documents.toRow(documents.next());
      }
    };
  }

  /** Tells Spark what a task reads, for the progress. */
  private static final class Metered extends DocumentIterator {
    private final DocumentIterator documents;
    private final long bytes;

    Metered(DocumentIterator documents, long bytes) {
      this.documents = documents;
      this.bytes = bytes;
    }

    @Override
    protected Document advance() {
      boolean any = documents.hasNext();
      TaskContext context = TaskContext.get();
      if (context != null) {
        if (any) {
          context.taskMetrics().inputMetrics().incRecordsRead(1);
        } else {
          context.taskMetrics().inputMetrics().incBytesRead(bytes);
        }
      }
      return any ? documents.next() : null;
    }

    @Override
    public void close() throws IOException {
      documents.close();
    }
  }

  /** Documents of a stage's output bring their source; see {@link SourceFile#source}. */
  private static boolean isStageFile(SourceFile file) {
    return file.source().isEmpty();
  }

  private SplitFormat format(SourceFile file) {
    if (isStageFile(file)) {
      return new ParquetFiles(new JsonRecords(records), true);
    }
    return switch (formatName(file)) {
      case TEXT ->
          streamed(
              records.config().separator().isEmpty()
                  ? WholeFiles.text(records)
                  : new SeparatedText(records));
      case HTML -> streamed(new WholeFiles(new HtmlFiles(records), records));
      case LINES -> new LineFiles(new PlainLines(records), records);
      case JSONL -> new LineFiles(new JsonLines(records), records);
      case JSON -> streamed(new JsonFormat(records));
      case CSV -> streamed(new CsvFormat(records));
      case PARQUET -> new ParquetFiles(new JsonRecords(records), false);
      case WARC -> streamed(new WarcFiles(records));
      case WIKIPEDIA -> new WikipediaFiles(records);
      case AUTO -> throw new IllegalStateException("auto was resolved before");
    };
  }

  private SplitFormat streamed(StreamFormat format) {
    return new StreamedFiles(format, records);
  }

  private ReadConfig.Format formatName(SourceFile file) {
    if (records.config().format() != ReadConfig.Format.AUTO) {
      return records.config().format();
    }
    String name = Compression.withoutEnding(file.relativePath().toLowerCase(Locale.ROOT));
    return switch (name.substring(name.lastIndexOf('.') + 1)) {
      case "txt", "md", "text" -> ReadConfig.Format.TEXT;
      case "jsonl", "ndjson" -> ReadConfig.Format.JSONL;
      case "json" -> ReadConfig.Format.JSON;
      case "csv", "tsv" -> ReadConfig.Format.CSV;
      case "parquet" -> ReadConfig.Format.PARQUET;
      case "html", "htm", "xhtml" -> ReadConfig.Format.HTML;
      case "warc", "wet" -> ReadConfig.Format.WARC;
      case "xml" -> xml(file, name);
      default ->
          throw new IllegalArgumentException(
              file.path()
                  + ": its name does not tell its format; set read.format to text, lines, jsonl,"
                  + " json, csv, parquet, html, warc or wikipedia, or give a glob of the files to"
                  + " read");
    };
  }

  /** Wikimedia names its dumps {@code zhwiki-20240101-pages-articles-multistream1.xml.bz2}. */
  private static ReadConfig.Format xml(SourceFile file, String name) {
    if (name.contains("-pages-articles") || name.contains("-pages-meta")) {
      return ReadConfig.Format.WIKIPEDIA;
    }
    throw new IllegalArgumentException(
        file.path()
            + ": of XML files only MediaWiki's dumps are read, and its name is not like"
            + " zhwiki-20240101-pages-articles.xml.bz2; if it is one, set read.format to wikipedia");
  }
}
