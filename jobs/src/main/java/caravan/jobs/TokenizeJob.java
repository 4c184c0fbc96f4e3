package caravan.jobs;

import caravan.pipeline.Manifest;
import caravan.pipeline.read.ReadConfig;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.tokenize.SplitInputs;
import caravan.pipeline.tokenize.TokenizeConfig;
import caravan.pipeline.tokenize.TokenizeStage;
import caravan.pipeline.tokenize.Tokenizer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Documents to token shards. */
@Command(
    name = "tokenize",
    description = "documents + tokenizer.model or tokenizer.json → token shards")
final class TokenizeJob extends Job<TokenizeJob.Config> {
  record Config(
      List<String> input,
      String output,
      String tokenizer,
      long seed,
      ReadConfig read,
      TokenizeConfig tokenize) {}

  /** Counts that are told where they are not 0. */
  private static final Map<String, String> SAID = new LinkedHashMap<>();

  static {
    SAID.put("validationDocuments", "for validation");
    SAID.put("testDocuments", "for test");
    SAID.put("excludedInValidation", "left out because validation-input holds them");
    SAID.put("excludedInTest", "left out because test-input holds them");
    SAID.put("unreadable", "unreadable records left out");
    SAID.put("putAside", "records left out that are too large, no page or no article");
  }

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
    Tokenizer tokenizer =
        Tokenizers.read(
            config.tokenizer(),
            config.tokenize().encoder(),
            spark.sparkContext().hadoopConfiguration());
    TokenizeStage.Result result =
        new TokenizeStage(spark, tokenizer, config.tokenize(), config.seed())
            .run(inputs(spark, config), config.output(), force);
    Map<String, Long> counts = new LinkedHashMap<>();
    Map<String, Long> all = result.manifest().counts();
    counts.put("documents", all.get("documents"));
    SAID.forEach(
        (name, said) -> {
          if (all.getOrDefault(name, 0L) > 0) {
            counts.put(said, all.get(name));
          }
        });
    counts.put("tokens", all.get("tokens"));
    Summary.print("tokenize", result.upToDate(), counts, config.output());
    return result.manifest();
  }

  private static SplitInputs inputs(SparkSession spark, Config config) {
    Corpus corpus = Corpus.open(spark, config.input(), config.read());
    SplitInputs inputs =
        SplitInputs.of(
            corpus.inputs(), corpus.reader().documents(spark), config.read().maxBrokenFraction());
    Map<String, List<String>> heldOut = new LinkedHashMap<>();
    heldOut.put(TokenManifest.VALIDATION, config.tokenize().validationInput());
    heldOut.put(TokenManifest.TEST, config.tokenize().testInput());
    for (Map.Entry<String, List<String>> split : heldOut.entrySet()) {
      if (!split.getValue().isEmpty()) {
        Corpus part = Corpus.open(spark, split.getValue(), config.read());
        inputs = inputs.with(split.getKey(), part.inputs(), part.reader().documents(spark));
      }
    }
    return inputs;
  }
}
