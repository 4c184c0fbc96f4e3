package caravan.jobs;

import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.Storage;
import caravan.pipeline.dedup.DedupConfig;
import caravan.pipeline.dedup.DedupIndex;
import caravan.pipeline.dedup.DedupStage;
import caravan.pipeline.dedup.IndexRun;
import caravan.pipeline.dedup.RepeatReport;
import caravan.pipeline.dedup.RepeatStage;
import caravan.pipeline.read.ReadConfig;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents to documents without duplicates. */
@Command(
    name = "dedup",
    description =
        "documents → documents: exact and near duplicates dropped; also lines and passages that several have")
final class DedupJob extends Job<DedupJob.Config> {
  /**
   * @param index directory of what earlier runs hold; empty for none
   */
  record Config(
      List<String> input,
      String output,
      Optional<String> index,
      long seed,
      ReadConfig read,
      DedupConfig dedup) {}

  DedupJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("dedup")) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static StageReport run(SparkSession spark, Config config, boolean force) {
    Corpus corpus = Corpus.open(spark, config.input(), config.read());
    StageOutput.Limits limits = new StageOutput.Limits(false, config.read().maxBrokenFraction());
    StageOutput output = new StageOutput(spark, config.output(), limits);
    Map<String, Object> settings =
        Map.of("seed", config.seed(), "read", config.read(), "dedup", config.dedup());
    Optional<IndexRun> index =
        config
            .index()
            .map(
                directory ->
                    DedupIndex.open(
                            spark.sparkContext().hadoopConfiguration(),
                            directory,
                            config.dedup(),
                            config.seed())
                        .run(corpus.inputs(), config.output(), settings));
    boolean isUnprepared = index.isPresent() && !index.get().isPrepared();
    StageOutput.Result result =
        output.run(
            new RepeatStage(new DedupStage(config.dedup(), config.seed(), index), config.dedup()),
            corpus.inputs(),
            corpus.reader().documents(spark),
            index.map(IndexRun::config).orElse(settings),
            force || isUnprepared);
    index.ifPresent(IndexRun::commit);
    Optional<RepeatReport> repeats = repeats(spark, config, result.upToDate());
    StagePages.dedup(corpus, config.dedup(), result, repeats, config.output());
    Summary.print(result, config.output());
    repeats.ifPresent(
        report ->
            System.out.printf(
                "dedup: %,d stretches of text that other documents have too; see %s/%s%n",
                report.repeats(), config.output(), RepeatReport.FILE));
    return result.report();
  }

  private static Optional<RepeatReport> repeats(
      SparkSession spark, Config config, boolean isUpToDate) {
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    if (!config.dedup().seeksRepeats()) {
      RepeatReport.delete(storage, config.output());
      return Optional.empty();
    }
    return Optional.of(
        isUpToDate && RepeatReport.exists(storage, config.output())
            ? RepeatReport.read(storage, config.output())
            : RepeatReport.write(spark, config.output(), config.dedup()));
  }
}
