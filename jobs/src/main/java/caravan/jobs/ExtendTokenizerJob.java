package caravan.jobs;

import caravan.pipeline.read.ReadConfig;
import caravan.pipeline.tokenize.ExtendTokenizerStage;
import caravan.pipeline.tokenize.ExtendTokenizerStage.Texts;
import caravan.pipeline.tokenize.ExtensionConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents and a SentencePiece vocabulary to a larger one, whose first ids are the old ones. */
@Command(
    name = "extend-tokenizer",
    description =
        "documents + tokenizer.model → tokenizer.model with more pieces, old ids unchanged")
final class ExtendTokenizerJob extends Job<ExtendTokenizerJob.Config> {
  /**
   * @param tokenizer the base
   * @param measureInput more documents to measure on; none where empty
   */
  record Config(
      List<String> input,
      List<String> measureInput,
      String output,
      String tokenizer,
      long seed,
      ReadConfig read,
      ExtensionConfig extendTokenizer) {}

  ExtendTokenizerJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("extend-tokenizer")) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static void run(SparkSession spark, Config config, boolean force) {
    ExtendTokenizerStage stage =
        new ExtendTokenizerStage(
            spark,
            Tokenizers.readSentencePiece(
                config.tokenizer(), spark.sparkContext().hadoopConfiguration()),
            config.extendTokenizer(),
            config.seed(),
            config.read().maxBrokenFraction());
    Optional<Texts> measured =
        config.measureInput().isEmpty()
            ? Optional.empty()
            : Optional.of(texts(spark, config.measureInput(), config.read()));
    ExtendTokenizerStage.Result result =
        stage.run(texts(spark, config.input(), config.read()), measured, config.output(), force);
    Map<String, Long> all = result.manifest().counts();
    Map<String, Long> counts = new LinkedHashMap<>();
    counts.put("pieces", all.get("pieces"));
    counts.put("of the base", all.get("basePieces"));
    Summary.print("extend-tokenizer", result.upToDate(), counts, config.output());
  }

  private static Texts texts(SparkSession spark, List<String> input, ReadConfig read) {
    Corpus corpus = Corpus.open(spark, input, read);
    return new Texts(corpus.inputs(), corpus.documents());
  }
}
