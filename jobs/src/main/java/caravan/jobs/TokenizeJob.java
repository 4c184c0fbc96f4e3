package caravan.jobs;

import caravan.pipeline.Manifest;
import caravan.pipeline.read.ReadConfig;
import caravan.pipeline.tokenize.SentencePieceTokenizer;
import caravan.pipeline.tokenize.TokenizeConfig;
import caravan.pipeline.tokenize.TokenizeStage;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents to token shards. */
@Command(name = "tokenize", description = "documents + tokenizer.model → token shards")
final class TokenizeJob extends Job<TokenizeJob.Config> {
  record Config(
      List<String> input,
      String output,
      String tokenizer,
      long seed,
      ReadConfig read,
      TokenizeConfig tokenize) {}

  TokenizeJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("tokenize")) {
      run(spark, config, force());
    }
    return Caravan.DONE;
  }

  static Manifest run(SparkSession spark, Config config, boolean force) {
    SentencePieceTokenizer tokenizer =
        Tokenizers.read(config.tokenizer(), spark.sparkContext().hadoopConfiguration());
    Corpus corpus = Corpus.open(spark, config.input(), config.read());
    TokenizeStage.Result result =
        new TokenizeStage(spark, tokenizer, config.tokenize(), config.seed())
            .run(corpus.inputs(), corpus.documents(), config.output(), force);
    Map<String, Long> counts = new LinkedHashMap<>();
    counts.put("documents", result.manifest().counts().get("documents"));
    counts.put("tokens", result.manifest().counts().get("tokens"));
    Summary.print("tokenize", result.upToDate(), counts, config.output());
    return result.manifest();
  }
}
