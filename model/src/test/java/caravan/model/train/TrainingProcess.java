package caravan.model.train;

import caravan.model.LlamaConfig;
import caravan.model.checkpoint.SpecialTokens;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** A training as a process of its own, to be killed. */
final class TrainingProcess {
  static final int STEPS = 45;

  /** Some megabytes, so that writing a checkpoint takes a while. */
  private static final LlamaConfig MODEL =
      new LlamaConfig(64, 96, 2, 4, 2, 16, 6000, 12, 10000, 1e-5, true);

  private static final TrainConfig STOCK =
      TrainConfigs.with(
          TrainConfigs.SMALL,
          Map.of(
              "steps",
              STEPS,
              "workers",
              2,
              "averagingSteps",
              3,
              "checkpointSteps",
              6,
              "validationSteps",
              9,
              "keepEvery",
              12,
              "validationBatches",
              2));

  private TrainingProcess() {}

  static JavaSparkContext spark() {
    return new JavaSparkContext(
        new SparkConf()
            .setMaster("local[2]")
            .setAppName("training")
            .set("spark.driver.host", "127.0.0.1")
            .set("spark.driver.bindAddress", "127.0.0.1")
            .set("spark.ui.enabled", "false"));
  }

  static Trainer.Outcome train(JavaSparkContext spark, String output, String exchange) {
    Trainer.Setup setup =
        new Trainer.Setup(
            MODEL,
            TrainConfigs.with(STOCK, Map.of("exchange", exchange)),
            3,
            new PatternSource(12, 101, 6000, true),
            Optional.of(new PatternSource(12, 9, 6000, true)),
            Optional.empty(),
            Resume.AUTO,
            output,
            "pattern",
            SpecialTokens.of(1, 2),
            Map.of());
    return new Trainer(spark, setup).run(() -> false, m -> {});
  }

  public static void main(String[] args) {
    try (JavaSparkContext spark = spark()) {
      train(spark, args[0], args[1]);
    }
  }
}
