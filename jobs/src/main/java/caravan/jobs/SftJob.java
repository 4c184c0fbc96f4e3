package caravan.jobs;

import caravan.jobs.chat.ChatSequenceSource;
import caravan.jobs.chat.ChatSequences;
import caravan.model.LlamaConfig;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.TrainedShape;
import caravan.model.train.SequenceSource;
import caravan.model.train.Trainer;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.tokenize.Tokenizer;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/**
 * Fine-tunes a model, or adapters beside it, on conversations: the data into masked sequences under
 * {@code OUTPUT/sequences}, then the trainer, whose checkpoints carry the base's tokenizer.
 */
@Command(name = "sft", description = "chat or instruction data + checkpoint → checkpoints")
final class SftJob extends Job<SftConfig> {
  SftJob() {
    super(SftConfig.class);
  }

  @Override
  protected int run(SftConfig config) {
    try (Checkpoint base = open(config, hadoop());
        StopRequest stop = new StopRequest();
        SparkSession spark = openSparkToTrain("sft", StartingModel.trained(base), config.train())) {
      Trainer.Outcome outcome = train(spark, config, base, force(), stop);
      return outcome.finished() ? Caravan.DONE : Caravan.STOPPED;
    }
  }

  @Override
  protected void describe(SftConfig config) {
    MemoryNeeds.print(
        config.train(),
        () -> {
          try (Checkpoint base = open(config, hadoop())) {
            return TrainedShape.of(base.config(), base.adaptation());
          }
        });
  }

  /**
   * The work, inside a session that is open already.
   *
   * @param force start over even where there are sequences and checkpoints of this training
   * @param stop asked between rounds
   */
  static Trainer.Outcome run(
      SparkSession spark, SftConfig config, boolean force, BooleanSupplier stop) {
    try (Checkpoint base = open(config, spark.sparkContext().hadoopConfiguration())) {
      return train(spark, config, base, force, stop);
    }
  }

  private static Checkpoint open(SftConfig config, Configuration hadoop) {
    Checkpoint base = Checkpoints.open(config.checkpoint(), hadoop, config.lora().base());
    LlamaConfig shape = base.config();
    if (config.train().sequenceLength() > shape.contextLength()) {
      base.close();
      throw new IllegalArgumentException(
          "train.sequence-length: got %,d, wanted at most the context of %s, %,d tokens"
              .formatted(
                  config.train().sequenceLength(), config.checkpoint(), shape.contextLength()));
    }
    return config.lora().start(config.checkpoint(), base, shape, config.seed(), hadoop);
  }

  private static Trainer.Outcome train(
      SparkSession session,
      SftConfig config,
      Checkpoint base,
      boolean force,
      BooleanSupplier stop) {
    JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
    Configuration hadoop = spark.hadoopConfiguration();
    Tokenizer tokenizer =
        LoadedModel.tokenizer(config.checkpoint(), base.head(), config.tokenizer(), hadoop);
    int length = config.train().sequenceLength();
    ChatSequences.Result data =
        new ChatSequences(
                spark, tokenizer, config.sft(), length, config.seed(), config.validation())
            .write(config.input(), config.sequences(), force);
    print(data, config.sequences());
    boolean isolated = config.train().isolatesDocuments();
    ChatSequenceSource validation =
        ChatSequenceSource.open(hadoop, config.sequences(), TokenManifest.VALIDATION, isolated);
    Trainer.Setup setup =
        new Trainer.Setup(
            base.config(),
            config.train(),
            config.seed(),
            ChatSequenceSource.open(hadoop, config.sequences(), TokenManifest.TRAIN, isolated),
            Optional.<SequenceSource>of(validation).filter(source -> source.size() > 0),
            Optional.of(base.parameters()),
            PretrainJob.resume(config.resume(), config.resumeData(), force),
            config.output(),
            data.manifest().contentHash(),
            base.specialTokens(),
            tokenizerFiles(base, tokenizer),
            base.adaptation());
    return Training.run(
        "sft",
        session,
        setup,
        Optional.empty(),
        new Training.Report(Map.of(), config.reportRuns()),
        stop);
  }

  private static void print(ChatSequences.Result data, String output) {
    Map<String, Long> counts = data.manifest().counts();
    Map<String, Long> shown = new LinkedHashMap<>();
    shown.put("records", counts.get("records"));
    shown.put("dropped", counts.get("dropped"));
    shown.put("training sequences", counts.get("trainSequences"));
    shown.put("held-out sequences", counts.getOrDefault("validationSequences", 0L));
    shown.put("trained tokens", counts.get("trainedTokens"));
    Summary.print("sft", data.upToDate(), shown, output);
  }

  /** The base's own; a tokenizer that was given takes its place. */
  private static Map<String, byte[]> tokenizerFiles(Checkpoint base, Tokenizer tokenizer) {
    Map<String, byte[]> files = new HashMap<>(base.tokenizerFiles());
    files.putAll(Tokenizers.files(tokenizer));
    return files;
  }
}
