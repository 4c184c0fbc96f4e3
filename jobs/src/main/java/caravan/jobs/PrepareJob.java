package caravan.jobs;

import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.decontaminate.DecontaminateConfig;
import caravan.pipeline.dedup.DedupConfig;
import caravan.pipeline.read.ReadConfig;
import caravan.pipeline.tokenize.TokenizeConfig;
import caravan.pipeline.tokenize.TokenizerConfig;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/**
 * Raw files to token shards: every prep stage in its own directory under {@code output}, each
 * skipped when it is already valid.
 */
@Command(
    name = "prepare",
    description =
        "raw files → token shards: clean, dedup, decontaminate (if items are given), train-tokenizer (unless given), tokenize")
final class PrepareJob extends Job<PrepareJob.Config> {
  /**
   * @param tokenizer a tokenizer to use instead of training one
   * @param index directory of what earlier runs of dedup hold; empty for none
   */
  record Config(
      List<String> input,
      String output,
      Optional<String> tokenizer,
      Optional<String> index,
      long seed,
      ReadConfig read,
      CleanConfig clean,
      DedupConfig dedup,
      DecontaminateConfig decontaminate,
      TokenizerConfig trainTokenizer,
      TokenizeConfig tokenize) {

    String directory(String stage) {
      return output + "/" + stage;
    }
  }

  PrepareJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("prepare")) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static void run(SparkSession spark, Config config, boolean force) {
    String clean = config.directory("clean");
    String dedup = config.directory("dedup");
    String tokens = config.directory("tokens");
    CleanJob.run(
        spark, new CleanJob.Config(config.input(), clean, config.read(), config.clean()), force);
    DedupJob.run(
        spark,
        new DedupJob.Config(
            List.of(clean), dedup, config.index(), config.seed(), config.read(), config.dedup()),
        force);
    String documents =
        config.decontaminate().items().isEmpty()
            ? dedup
            : decontaminate(spark, config, dedup, force);
    String tokenizer =
        config.tokenizer().orElseGet(() -> trainTokenizer(spark, config, documents, force));
    TokenizeJob.run(
        spark,
        new TokenizeJob.Config(
            List.of(documents), tokens, tokenizer, config.seed(), config.read(), config.tokenize()),
        force);
  }

  private static String decontaminate(
      SparkSession spark, Config config, String documents, boolean force) {
    String output = config.directory("decontaminate");
    DecontaminateJob.run(
        spark,
        new DecontaminateJob.Config(
            List.of(documents), output, config.read(), config.decontaminate()),
        force);
    return output;
  }

  private static String trainTokenizer(
      SparkSession spark, Config config, String documents, boolean force) {
    String output = config.directory("tokenizer");
    TrainTokenizerJob.run(
        spark,
        new TrainTokenizerJob.Config(
            List.of(documents), output, config.seed(), config.read(), config.trainTokenizer()),
        force);
    return output;
  }
}
