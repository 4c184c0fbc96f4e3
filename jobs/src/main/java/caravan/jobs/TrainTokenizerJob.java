package caravan.jobs;

import caravan.pipeline.read.ReadConfig;
import caravan.pipeline.tokenize.TokenizerConfig;
import caravan.pipeline.tokenize.TrainTokenizerStage;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents to a SentencePiece vocabulary. */
@Command(
    name = "train-tokenizer",
    description = "documents → tokenizer.model (SentencePiece BPE with byte fallback)")
final class TrainTokenizerJob extends Job<TrainTokenizerJob.Config> {
  record Config(
      List<String> input,
      String output,
      long seed,
      ReadConfig read,
      TokenizerConfig trainTokenizer) {}

  TrainTokenizerJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("train-tokenizer")) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static void run(SparkSession spark, Config config, boolean force) {
    Corpus corpus = Corpus.open(spark, config.input(), config.read());
    TrainTokenizerStage.Result result =
        new TrainTokenizerStage(
                spark, config.trainTokenizer(), config.seed(), config.read().maxBrokenFraction())
            .run(corpus.inputs(), corpus.documents(), config.output(), force);
    Map<String, Long> counts = Map.of("pieces", result.manifest().counts().get("pieces"));
    Summary.print("train-tokenizer", result.upToDate(), counts, config.output());
  }
}
