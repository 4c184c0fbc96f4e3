package caravan.jobs;

import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.Storage;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.CleanStage;
import caravan.pipeline.clean.Cleaner;
import caravan.pipeline.clean.Learned;
import caravan.pipeline.clean.ListFiles;
import caravan.pipeline.learn.LearnedRules;
import caravan.pipeline.learn.Learner;
import caravan.pipeline.read.ReadConfig;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Raw files to clean documents. */
@Command(
    name = "clean",
    description = "raw files → documents: read, normalize, identify language, filter, mask PII")
final class CleanJob extends Job<CleanJob.Config> {
  record Config(List<String> input, String output, ReadConfig read, CleanConfig clean) {}

  CleanJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("clean")) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static StageReport run(SparkSession spark, Config config, boolean force) {
    Corpus corpus = Corpus.open(spark, config.input(), config.read());
    ListFiles lists = lists(config.clean(), spark.sparkContext().hadoopConfiguration());
    Learned learned =
        new Learner(spark, config.output(), force)
            .learn(
                new Learner.Run(
                    config.clean(), lists, config.read(), corpus.inputs(), corpus.reader()));
    Cleaner cleaner = new Cleaner(config.clean(), lists, learned);
    StageOutput.Limits limits = new StageOutput.Limits(false, config.read().maxBrokenFraction());
    StageOutput.Result result =
        new StageOutput(spark, config.output(), limits)
            .run(
                new CleanStage(cleaner),
                corpus.inputs(),
                corpus.reader(),
                Map.of(
                    "read", config.read(),
                    "clean", config.clean(),
                    "lists", lists.digests(),
                    "learned", learned.digests()),
                force);
    StagePages.clean(corpus, cleaner, result, config.output());
    Summary.print(result, config.output());
    return result.report();
  }

  /**
   * What the stage did to each document of an output.
   *
   * @param learned section of the output's config.json
   */
  static Cleaner cleaner(
      CleanConfig config, String output, Map<String, Object> learned, Configuration hadoop) {
    return new Cleaner(
        config,
        lists(config, hadoop),
        LearnedRules.of(new Storage(hadoop), output, config, learned));
  }

  /** The files that the rules name. */
  private static ListFiles lists(CleanConfig config, Configuration hadoop) {
    Storage storage = new Storage(hadoop);
    return ListFiles.read(
        config,
        name -> {
          Path path = storage.qualify(new Path(name));
          if (!storage.exists(path)) {
            throw new IllegalArgumentException(
                "blocklist %s: no such file, looked for %s".formatted(name, path));
          }
          return storage.read(path);
        });
  }
}
