package caravan.pipeline;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A stage's output directory: {@code data/*.parquet} (kept documents, {@link Documents#SCHEMA}),
 * {@code dropped/reason=…/*.parquet} (the same and {@code detail}), {@code report.json}, {@code
 * config.json}, and {@code manifest.json} last, which commits.
 *
 * <p>Nothing is renamed, because S3 cannot. A new run writes files with new names beside the old
 * ones, and the old output stays valid until the new manifest replaces the old; only then are the
 * old files deleted. Files that no manifest lists are leftovers of a failed run: readers never see
 * them, the next run deletes them. One run at a time may write a directory.
 */
public final class StageOutput {
  /** Present from the start of a directory's first run until its commit. */
  static final String STARTED = "_started.json";

  private static final String REPORT = "report.json";
  private static final String CONFIG = "config.json";
  private static final Logger log = LoggerFactory.getLogger(StageOutput.class);

  /**
   * Bounds past which a run fails and nothing is committed.
   *
   * @param allowEmpty whether an output without any kept document is fine
   * @param maxBrokenFraction largest share of input documents that may be unreadable (not UTF-8, or
   *     no record of their format), 0 to 1
   */
  public record Limits(boolean allowEmpty, double maxBrokenFraction) {
    public static final Limits DEFAULT = new Limits(false, 0.05);

    public Limits {
      if (!(maxBrokenFraction >= 0 && maxBrokenFraction <= 1)) {
        throw new IllegalArgumentException(
            "read.max-broken-fraction: got " + maxBrokenFraction + ", wanted 0 to 1");
      }
    }
  }

  /**
   * @param upToDate whether the output was valid already and nothing was done
   */
  public record Result(StageReport report, boolean upToDate) {}

  private final SparkSession spark;
  private final Configuration conf;
  private final Storage storage;
  private final Path directory;
  private final DocumentFiles files;
  private final Limits limits;

  public StageOutput(SparkSession spark, String directory, Limits limits) {
    this.spark = spark;
    this.conf = spark.sparkContext().hadoopConfiguration();
    this.storage = new Storage(conf);
    this.directory = storage.qualify(new Path(directory));
    this.files = new DocumentFiles(spark, storage, this.directory);
    this.limits = limits;
  }

  /**
   * The kept documents of a finished output, exactly the files its manifest lists.
   *
   * @throws IllegalArgumentException when the directory is no finished stage output
   */
  public static Dataset<Row> read(SparkSession spark, String directory) {
    StageOutput output = new StageOutput(spark, directory, Limits.DEFAULT);
    Manifest manifest = Manifest.read(output.conf, output.directory, Manifest.DOCUMENTS);
    return output.files.kept(paths(manifest));
  }

  /**
   * Runs the stage unless its output for the same inputs and configuration is there already.
   *
   * @param documents rows of {@link Documents#SCHEMA}
   * @param config everything that the result depends on
   * @param force run in any case
   * @throws IllegalArgumentException when the directory holds something else, too many input
   *     documents are unreadable, or none was kept
   */
  public Result run(
      Stage stage,
      Inputs inputs,
      Dataset<Row> documents,
      Map<String, Object> config,
      boolean force) {
    Optional<StageReport> stored =
        force ? Optional.empty() : upToDate(stage.name(), inputs, config);
    return stored
        .map(report -> new Result(report, true))
        .orElseGet(() -> new Result(write(stage, inputs, documents, config), false));
  }

  /** The report of a valid output of the same stage, inputs and configuration. */
  public Optional<StageReport> upToDate(String stage, Inputs inputs, Map<String, Object> config) {
    Optional<StageReport> stored =
        validManifest()
            .filter(m -> m.configHash().equals(configHash(stage, config)))
            .filter(m -> m.inputs().equals(inputs.fingerprints()))
            .map(m -> Json.MAPPER.convertValue(m.extra().get("report"), StageReport.class));
    stored.ifPresent(
        report -> {
          log.info("{}: {} is up to date: same input, same configuration", stage, directory);
          writeCompanions(report, config); // a later run may have died between them and its commit
        });
    return stored;
  }

  /** Runs the stage and commits its output; parameters and errors as {@link #run}. */
  public StageReport write(
      Stage stage, Inputs inputs, Dataset<Row> documents, Map<String, Object> config) {
    long start = System.nanoTime();
    Set<String> committed = prepareDirectory(stage.name(), inputs);
    Dataset<Row> tagged = tag(stage, inputs, documents).persist(StorageLevel.MEMORY_AND_DISK());
    try {
      files.write(tagged);
      List<String> written = files.documentsExcept(committed);
      DocumentFiles.Content content = files.content(written);
      Audit audit = new Audit(stage, inputs, directory, limits);
      StageReport report = audit.report(tagged, content.groups(), start);
      audit.check(report, tagged);
      Manifest manifest =
          manifest(stage.name(), inputs, config, report, written, content.contentHash());
      writeCompanions(report, config);
      manifest.write(conf, directory);
      files.deleteExcept(Set.copyOf(written));
      storage.delete(new Path(directory, STARTED));
      return report;
    } finally {
      tagged.unpersist();
    }
  }

  /** Checks and cleans the directory; returns the files of the output that is valid now. */
  private Set<String> prepareDirectory(String stage, Inputs inputs) {
    refuseInputInside(inputs);
    Optional<Manifest> valid = validManifest();
    if (valid.isPresent()) {
      Object owner = valid.get().extra().get("stage");
      if (!valid.get().kind().equals(Manifest.DOCUMENTS) || !stage.equals(owner)) {
        throw refusal("holds " + valid.get().kind() + (owner == null ? "" : " of stage " + owner));
      }
    } else {
      boolean ours =
          storage.exists(new Path(directory, STARTED))
              || storage.exists(new Path(directory, REPORT))
                  && storage.exists(new Path(directory, CONFIG));
      if (!ours && !files.except(Set.of()).isEmpty()) {
        throw refusal("holds data/ or dropped/ that no stage wrote");
      }
      storage.delete(new Path(directory, Manifest.FILE_NAME));
      storage.writeAtomically(new Path(directory, STARTED), Json.bytes(Map.of("stage", stage)));
    }
    Set<String> committed = valid.map(m -> new HashSet<>(paths(m))).orElseGet(HashSet::new);
    files.deleteExcept(committed);
    return committed;
  }

  private void refuseInputInside(Inputs inputs) {
    for (Inputs.InputFile file : inputs.files()) {
      if (file.path().startsWith(directory + "/")) {
        throw refusal("holds the input file " + file.path());
      }
    }
  }

  private IllegalArgumentException refusal(String holds) {
    return new IllegalArgumentException(
        "output " + directory + ": " + holds + "; choose another output or delete it yourself");
  }

  private Dataset<Row> tag(Stage stage, Inputs inputs, Dataset<Row> documents) {
    if (stage.tagsUnreadable() || inputs.areStageOutputs()) {
      return stage.apply(documents);
    }
    return stage
        .apply(Documents.readable(documents))
        .unionByName(Documents.tagUnreadable(documents));
  }

  private Manifest manifest(
      String stage,
      Inputs inputs,
      Map<String, Object> config,
      StageReport report,
      List<String> written,
      String contentHash) {
    SerializableConfiguration hadoop = new SerializableConfiguration(conf);
    String root = directory.toString();
    List<Manifest.OutputFile> described =
        new JavaSparkContext(spark.sparkContext())
            .parallelize(written, Math.max(1, Math.min(written.size(), 1000)))
            .map(file -> Manifest.describe(hadoop.value(), new Path(root), file))
            .collect();
    return Manifest.of(
        Manifest.DOCUMENTS,
        inputs.fingerprints(),
        configHash(stage, config),
        Map.of(
            "input", report.input().documents(),
            "kept", report.kept().documents(),
            "dropped", report.dropped().documents(),
            "keptCharacters", report.kept().characters()),
        described,
        contentHash,
        Map.of("stage", stage, "report", report));
  }

  private void writeCompanions(StageReport report, Map<String, Object> config) {
    storage.writeAtomically(new Path(directory, REPORT), Json.bytes(report));
    storage.writeAtomically(new Path(directory, CONFIG), Json.bytes(config));
  }

  /** The manifest if it can be read and its files are there. */
  private Optional<Manifest> validManifest() {
    try {
      Optional<Manifest> manifest = Manifest.find(conf, directory);
      manifest.ifPresent(m -> m.checkFiles(conf, directory));
      return manifest;
    } catch (IllegalArgumentException e) {
      log.warn("the earlier output is not valid and will be made again: {}", e.getMessage());
      return Optional.empty();
    }
  }

  private static List<String> paths(Manifest manifest) {
    return manifest.files().stream().map(Manifest.OutputFile::path).toList();
  }

  private static String configHash(String stage, Map<String, Object> config) {
    return Manifest.hashOf(Map.of("stage", stage, "config", config));
  }
}
