package caravan.pipeline;

import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A stage's output directory: {@code data/*.parquet} (kept documents, {@link Documents#SCHEMA}),
 * {@code dropped/reason=…/*.parquet} (the same and {@code detail}), {@code report.json}, {@code
 * config.json}, and {@code manifest.json} last, which commits. {@code parts/} is for later runs of
 * the same stage: which files of input gave which files of output.
 *
 * <p>Nothing is renamed, because S3 cannot. A new run writes files with new names beside the old
 * ones, and the old output stays valid until the new manifest replaces the old; only then are the
 * old files deleted. Files that no manifest lists are leftovers of a failed run: readers never see
 * them, the next run deletes them. One run at a time may write a directory.
 */
public final class StageOutput {
  /** Present from the start of a directory's first run until its commit. */
  static final String STARTED = "_started.json";

  static final String REPORT = "report.json";
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
   * @param reusedDocuments input documents whose verdicts come from earlier runs
   */
  public record Result(StageReport report, boolean upToDate, long reusedDocuments) {}

  private final SparkSession spark;
  private final Configuration conf;
  private final Storage storage;
  private final Path directory;
  private final DocumentFiles files;
  private final Parts parts;
  private final Limits limits;

  public StageOutput(SparkSession spark, String directory, Limits limits) {
    this.spark = spark;
    this.conf = spark.sparkContext().hadoopConfiguration();
    this.storage = new Storage(conf);
    this.directory = storage.qualify(new Path(directory));
    this.files = new DocumentFiles(spark, storage, this.directory);
    this.parts = new Parts(spark, storage, this.directory);
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
    return output.files.kept(paths(manifest.files()));
  }

  /**
   * Runs a stage that compares documents, unless its output for the same inputs and configuration
   * is there already.
   *
   * @param documents as {@link Stage#apply} wants them
   * @param config everything that the result depends on
   * @param force run in any case
   * @throws IllegalArgumentException when the directory holds something else, too many input
   *     documents are unreadable, or none was kept
   */
  public Result run(
      Stage stage,
      Inputs inputs,
      JavaRDD<DocumentIterator> documents,
      Map<String, Object> config,
      boolean force) {
    return unlessUpToDate(
        stage.name(),
        inputs,
        config,
        force,
        start -> {
          prepareDirectory(start, List.of());
          List<Part> written = parts.write(stage.apply(documents), start.configHash());
          return new Result(commit(start, written, stage.counts()), false, 0);
        });
  }

  /**
   * Runs a stage that looks at one document at a time: of an earlier output, or of a run that was
   * killed, it takes over what the same input files gave with the same configuration. Parameters
   * and errors as above.
   *
   * @param force process every file again
   */
  public Result run(
      DocumentStage stage,
      Inputs inputs,
      DocumentSource source,
      Map<String, Object> config,
      boolean force) {
    return unlessUpToDate(
        stage.name(),
        inputs,
        config,
        force,
        start -> {
          List<Part> reused =
              force ? List.of() : parts.reusable(start.configHash(), source.files());
          prepareDirectory(start, reused);
          List<Part> written = parts.write(stage, source, reused, start.configHash());
          long reusedDocuments =
              reused.stream().flatMap(p -> p.groups().stream()).mapToLong(g -> g.documents()).sum();
          return new Result(commit(start, written, Map.of()), false, reusedDocuments);
        });
  }

  private Result unlessUpToDate(
      String stage,
      Inputs inputs,
      Map<String, Object> config,
      boolean force,
      Function<Start, Result> run) {
    Optional<StageReport> stored = force ? Optional.empty() : upToDate(stage, inputs, config);
    return stored
        .map(report -> new Result(report, true, report.input().documents()))
        .orElseGet(() -> run.apply(start(stage, inputs, config)));
  }

  /** The report of a valid output of the same stage, inputs and configuration. */
  public Optional<StageReport> upToDate(String stage, Inputs inputs, Map<String, Object> config) {
    Optional<Manifest> valid =
        validManifest()
            .filter(m -> m.configHash().equals(configHash(stage, config)))
            .filter(m -> m.inputs().equals(inputs.fingerprints()));
    if (valid.isEmpty()) {
      return Optional.empty();
    }
    log.info("{}: {} is up to date: same input, same configuration", stage, directory);
    StageReport report =
        Json.MAPPER.convertValue(valid.get().extra().get("report"), StageReport.class);
    writeCompanions(report, config); // a later run may have died between them and its commit
    if (storage.exists(new Path(directory, STARTED))) { // the run died after its commit
      cleanUp(valid.get());
    }
    return Optional.of(report);
  }

  /**
   * A run.
   *
   * @param nanos when it began, by {@link System#nanoTime}
   */
  private record Start(
      String stage, Inputs inputs, Map<String, Object> config, String configHash, long nanos) {}

  private static Start start(String stage, Inputs inputs, Map<String, Object> config) {
    return new Start(stage, inputs, config, configHash(stage, config), System.nanoTime());
  }

  private StageReport commit(Start start, List<Part> written, Map<String, Long> counts) {
    Audit audit = new Audit(start.stage(), start.inputs(), directory, limits);
    double seconds = Math.round((System.nanoTime() - start.nanos()) / 1e7) / 100.0;
    StageReport report = audit.report(written, counts, seconds);
    audit.check(report, written);
    writeCompanions(report, start.config());
    Manifest manifest = manifest(start, report, written);
    manifest.write(conf, directory);
    parts.deleteRecordsExcept(written);
    cleanUp(manifest);
    return report;
  }

  /** Deletes what a commit has replaced, and what killed runs left. */
  private void cleanUp(Manifest manifest) {
    files.deleteExcept(Set.copyOf(paths(manifest.files())));
    storage.delete(new Path(directory, STARTED));
  }

  /** Checks the directory, and deletes what is neither valid output nor of use. */
  private void prepareDirectory(Start start, List<Part> reused) {
    String stage = start.stage();
    refuseInputInside(start.inputs());
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
    Set<String> inUse = new HashSet<>();
    valid.ifPresent(manifest -> inUse.addAll(paths(manifest.files())));
    reused.forEach(part -> inUse.addAll(paths(part.files())));
    files.deleteExcept(inUse);
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

  private static Manifest manifest(Start start, StageReport report, List<Part> written) {
    return Manifest.of(
        Manifest.DOCUMENTS,
        start.inputs().fingerprints(),
        start.configHash(),
        counts(report),
        files(written),
        contentHash(report, written),
        Map.of("stage", start.stage(), "report", report));
  }

  static Map<String, Long> counts(StageReport report) {
    return Map.of(
        "input", report.input().documents(),
        "kept", report.kept().documents(),
        "dropped", report.dropped().documents(),
        "keptCharacters", report.kept().characters());
  }

  static List<Manifest.OutputFile> files(List<Part> written) {
    return written.stream()
        .flatMap(part -> part.files().stream())
        .sorted(Comparator.comparing(Manifest.OutputFile::path))
        .toList();
  }

  static String contentHash(StageReport report, List<Part> written) {
    long first = 0;
    long second = 0;
    for (Part part : written) {
      first += part.hash().get(0);
      second += part.hash().get(1);
    }
    return Json.sha256(List.of(report.input().documents(), first, second));
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

  private static List<String> paths(List<Manifest.OutputFile> files) {
    return files.stream().map(Manifest.OutputFile::path).toList();
  }

  private static String configHash(String stage, Map<String, Object> config) {
    return Manifest.hashOf(Map.of("stage", stage, "config", config));
  }
}
