package caravan.jobs;

import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.dedup.DedupConfig;
import caravan.pipeline.dedup.DedupStage;
import caravan.pipeline.read.ReadConfig;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents to documents without duplicates. */
@Command(
    name = "dedup",
    description = "documents → documents: exact and MinHash-LSH near duplicates dropped")
final class DedupJob extends Job<DedupJob.Config> {
  record Config(List<String> input, String output, long seed, ReadConfig read, DedupConfig dedup) {}

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
    StageOutput.Result result =
        new StageOutput(spark, config.output(), limits)
            .run(
                new DedupStage(config.dedup(), config.seed()),
                corpus.inputs(),
                corpus.reader().documents(spark),
                Map.of("seed", config.seed(), "read", config.read(), "dedup", config.dedup()),
                force);
    StagePages.dedup(corpus, config.dedup(), result, config.output());
    Summary.print(result, config.output());
    return result.report();
  }
}
