package caravan.jobs;

import caravan.jobs.report.BigramBaseline;
import caravan.model.checkpoint.TrainedShape;
import caravan.model.train.Resume;
import caravan.model.train.SequenceSource;
import caravan.model.train.TrainConfig;
import caravan.model.train.Trainer;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Token shards to a trained Llama; with a base checkpoint, continued pretraining. */
@Command(
    name = "pretrain",
    description = "token shards (+ base checkpoint: continued pretraining) → checkpoints")
final class PretrainJob extends Job<PretrainJob.Config> {
  static final String BIGRAM_FILE = "bigram.json";

  /**
   * @param tokens directories of token shards
   * @param tokenWeights which share of the training each of several directories gets, in any unit;
   *     empty for their numbers of sequences
   * @param checkpoint model to start from instead of random weights
   * @param resume where training goes on, as {@link Resume#of} reads it
   * @param resumeData what a training that goes on reads
   * @param validation token shards to hold out in place of those of {@code tokens}
   * @param reportRuns outputs of other trainings that report.html shows beside this one
   * @param bigram whether to measure a bigram's held-out loss on the same tokens
   */
  record Config(
      List<String> tokens,
      List<Double> tokenWeights,
      Optional<String> checkpoint,
      String output,
      String resume,
      Resume.Data resumeData,
      Optional<String> validation,
      List<String> reportRuns,
      boolean bigram,
      long seed,
      ModelConfig model,
      GrowConfig grow,
      TrainConfig train,
      LoraSettings lora) {}

  /**
   * The content of bigram.json.
   *
   * @param data what it was measured on
   */
  record Bigram(String data, BigramBaseline baseline) {}

  PretrainJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (StartingModel model = startingModel(config, hadoop());
        StopRequest stop = new StopRequest();
        SparkSession spark = openSparkToTrain("pretrain", model.parameterCount(), config.train())) {
      Trainer.Outcome outcome = train(spark, config, model, force(), stop);
      return outcome.finished() ? Caravan.DONE : Caravan.STOPPED;
    }
  }

  @Override
  protected void describe(Config config) {
    MemoryNeeds.print(
        config.train(),
        () -> {
          try (StartingModel model = startingModel(config, hadoop())) {
            return TrainedShape.of(model.shape(), model.adaptation());
          }
        });
  }

  static Trainer.Outcome run(
      SparkSession spark, Config config, boolean force, BooleanSupplier stop) {
    try (StartingModel model = startingModel(config, spark.sparkContext().hadoopConfiguration())) {
      return train(spark, config, model, force, stop);
    }
  }

  /** What the settings say of earlier checkpoints; {@code --force} starts over. */
  static Resume resume(String resume, Resume.Data data, boolean force) {
    return force ? Resume.NEVER : Resume.of(resume, data);
  }

  private static StartingModel startingModel(Config config, Configuration hadoop) {
    return StartingModel.open(
        tokens(config, hadoop).directories().get(0),
        config.checkpoint(),
        config.model(),
        config.grow(),
        config.lora(),
        config.seed(),
        config.train().sequenceLength(),
        hadoop);
  }

  private static Trainer.Outcome train(
      SparkSession spark, Config config, StartingModel model, boolean force, BooleanSupplier stop) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    TrainingTokens tokens = tokens(config, hadoop);
    Trainer.Setup setup =
        new Trainer.Setup(
            model.shape(),
            config.train(),
            config.seed(),
            tokens.training(),
            validation(spark, config, tokens),
            model.parameters(),
            resume(config.resume(), config.resumeData(), force),
            config.output(),
            tokens.fingerprint(),
            model.specialTokens(),
            model.tokenizerFiles(),
            model.adaptation());
    Training.Report report = new Training.Report(tokens.sources(), config.reportRuns());
    return Training.run("pretrain", spark, setup, bigram(spark, config, setup), report, stop);
  }

  private static String contentHash(String tokens, Configuration hadoop) {
    return Manifest.read(hadoop, new Path(tokens), Manifest.TOKENS).contentHash();
  }

  private static TrainingTokens tokens(Config config, Configuration hadoop) {
    return new TrainingTokens(
        hadoop,
        config.tokens(),
        config.tokenWeights(),
        config.train().sequenceLength(),
        config.train().isolatesDocuments());
  }

  private static Optional<SequenceSource> validation(
      SparkSession spark, Config config, TrainingTokens tokens) {
    return config.validation().isPresent()
        ? config.validation().map(of -> HeldOutShards.open(spark, of, tokens))
        : tokens.validation();
  }

  /** The bigram's loss on the tokens that validation scores, measured once per output. */
  private static Optional<BigramBaseline> bigram(
      SparkSession spark, Config config, Trainer.Setup setup) {
    if (!config.bigram() || setup.validation().isEmpty()) {
      return Optional.empty();
    }
    if (config.tokens().size() > 1) {
      throw new IllegalArgumentException(
          "bigram: got true with %d directories of tokens, wanted one: a bigram counts tokens without weights"
              .formatted(config.tokens().size()));
    }
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    Storage storage = new Storage(hadoop);
    Path file = new Path(config.output(), BIGRAM_FILE);
    String data =
        "%s, sequences of %d, %d held out"
                .formatted(
                    setup.fingerprint(),
                    config.train().sequenceLength(),
                    config.train().validationSequences())
            + config.validation().map(of -> " of " + contentHash(of, hadoop)).orElse("");
    if (storage.exists(file)) {
      Bigram stored = JsonFile.read(file.toString(), Bigram.class, hadoop);
      if (stored.data().equals(data)) {
        return Optional.of(stored.baseline());
      }
    }
    BigramBaseline baseline =
        BigramBaseline.measure(
            spark,
            setup.data(),
            setup.validation().get(),
            setup.model().vocabSize(),
            config.train().validationSequences());
    storage.writeAtomically(file, Json.bytes(new Bigram(data, baseline)));
    return Optional.of(baseline);
  }
}
