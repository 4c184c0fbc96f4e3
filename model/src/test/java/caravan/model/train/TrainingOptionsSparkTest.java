package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.HuggingFaceWeights;
import caravan.model.checkpoint.SpecialTokens;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every option of training, on Spark: local training bit for bit, and exact across a resume. */
class TrainingOptionsSparkTest {
  private static final LlamaConfig MODEL =
      new LlamaConfig(16, 24, 2, 4, 2, 4, 23, 12, 10000, 1e-5, true);
  private static final PatternSource DATA = new PatternSource(12, 60, 23, true);
  private static JavaSparkContext spark;

  /** Settings under test. */
  private enum Option {
    LION(Map.of("optimizer", new TrainConfig.Optimizer("lion", 0), "learningRate", 0.005)),
    SGD(Map.of("optimizer", new TrainConfig.Optimizer("sgd", 0.9))),
    SGD_WITHOUT_STATE(Map.of("optimizer", new TrainConfig.Optimizer("sgd", 0))),
    FREEZE(Map.of("freeze", List.of("model.embed_tokens.weight", "*.q_proj.weight"))),
    BLOCKS(Map.of("blockSteps", 2)),
    ACCUMULATION(Map.of("accumulationSteps", 3)),
    OBJECTIVE(
        Map.of(
            "loss", new TrainConfig.Loss(0.01, 0.1), "dropout", new TrainConfig.Dropout(0.1, 0.2))),
    ALL_OF_THEM(
        Map.of(
            "optimizer",
            new TrainConfig.Optimizer("lion", 0),
            "freeze",
            List.of("*norm*"),
            "blockSteps",
            2,
            "accumulationSteps",
            2,
            "dropout",
            new TrainConfig.Dropout(0.1, 0.2),
            "decay",
            new TrainConfig.Decay(0, 1)));

    private final Map<String, Object> settings;

    Option(Map<String, Object> settings) {
      this.settings = settings;
    }

    TrainConfig config(int workers) {
      Map<String, Object> all = new HashMap<>(settings);
      all.put("workers", workers);
      return TrainConfigs.with(TrainConfigs.SMALL, all);
    }
  }

  @BeforeAll
  static void open() {
    spark =
        new JavaSparkContext(
            new SparkConf()
                .setMaster("local[2]")
                .setAppName("options")
                .set("spark.ui.enabled", "false"));
  }

  @AfterAll
  static void close() {
    spark.close();
  }

  @ParameterizedTest
  @EnumSource(Option.class)
  void oneWorkerEqualsLocalTrainingBitForBit(Option option, @TempDir Path output) {
    TrainConfig config = option.config(1);
    new Trainer(spark, setup(output, config)).run(() -> false, m -> {});
    ComputationGraph local = graph(config);
    LocalTrainer.train(
        local, DATA, new SequenceOrder(60, 3), 0, config.workerSequences(), config.steps());
    assertThat(parameters(output, 8)).containsExactly(GraphState.of(local).parameters());
  }

  /** The third round of three steps would end in the middle of a block's turn. */
  @ParameterizedTest
  @EnumSource(
      value = Option.class,
      names = {"SGD_WITHOUT_STATE", "BLOCKS", "OBJECTIVE", "ALL_OF_THEM"})
  void aResumedRunEqualsAnUninterruptedOneBitForBit(
      Option option, @TempDir Path whole, @TempDir Path parts) {
    TrainConfig config = option.config(2);
    new Trainer(spark, setup(whole, config)).run(() -> false, m -> {});
    List<Metrics> seen = new ArrayList<>();
    new Trainer(spark, setup(parts, config)).run(() -> seen.size() > 0, seen::add);
    Trainer again = new Trainer(spark, setup(parts, config));
    assertThat(again.step()).isEqualTo(3);
    again.run(() -> false, m -> {});
    assertThat(parameters(parts, 8)).containsExactly(parameters(whole, 8));
  }

  @Test
  void frozenTensorsKeepEveryBitThroughTheMeansOfThreeWorkers(@TempDir Path output) {
    TrainConfig config = Option.FREEZE.config(3);
    float[] before = GraphState.of(graph(config)).parameters();
    new Trainer(spark, setup(output, config)).run(() -> false, m -> {});
    float[] after = parameters(output, 8);
    for (HuggingFaceWeights.Slice slice : HuggingFaceWeights.slices(new ParameterLayout(MODEL))) {
      if (slice.name().contains("embed_tokens") || slice.name().contains("q_proj")) {
        for (int i = (int) slice.offset(); i < slice.offset() + slice.length(); i++) {
          assertThat(after[i]).as(slice.name()).isEqualTo(before[i]);
        }
      }
    }
  }

  /** With dropout too: which values are zeroed does not depend on who has the sequence. */
  @Test
  void workersThatAverageEachStepEqualOneThatHasTheirBatchesUnderPlainGradientDescent(
      @TempDir Path two, @TempDir Path one) {
    Map<String, Object> settings =
        Map.of(
            "optimizer",
            new TrainConfig.Optimizer("sgd", 0.9),
            "averagingSteps",
            1,
            "learningRate",
            0.3,
            "clipNorm",
            0.0,
            "dropout",
            new TrainConfig.Dropout(0.1, 0.1));
    TrainConfig base = TrainConfigs.with(TrainConfigs.SMALL, settings);
    TrainConfig both = TrainConfigs.with(base, Map.of("workers", 2));
    TrainConfig alone = TrainConfigs.with(base, Map.of("accumulationSteps", 2));
    new Trainer(spark, setup(two, both)).run(() -> false, m -> {});
    new Trainer(spark, setup(one, alone)).run(() -> false, m -> {});
    float[] expected = parameters(one, 4);
    float[] got = parameters(two, 4);
    for (int i = 0; i < expected.length; i++) {
      assertThat(got[i]).isCloseTo(expected[i], within(2e-5f));
    }
  }

  @Test
  void aCheckpointOfAnotherOptimizerIsRefused(@TempDir Path output) {
    new Trainer(spark, setup(output, Option.LION.config(1))).run(() -> false, m -> {});
    assertThatThrownBy(() -> new Trainer(spark, setup(output, Option.SGD.config(1))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("it was trained with train.optimizer.kind = lion, this run has sgd");
    assertThatThrownBy(
            () ->
                new Trainer(
                    spark,
                    setup(
                        output,
                        TrainConfigs.with(
                            Option.LION.config(1), Map.of("freeze", List.of("*norm*"))))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("it was trained with train.freeze = [], this run has [*norm*]");
  }

  private static ComputationGraph graph(TrainConfig config) {
    return LlamaGraph.create(config.layer(MODEL, 3), config.updater(MODEL), 3);
  }

  private static Trainer.Setup setup(Path output, TrainConfig config) {
    return new Trainer.Setup(
        MODEL,
        config,
        3,
        DATA,
        Optional.empty(),
        Optional.empty(),
        Resume.AUTO,
        output.toString(),
        "pattern",
        SpecialTokens.of(1, 2),
        Map.of());
  }

  private static float[] parameters(Path output, long step) {
    try (Checkpoint checkpoint =
        new CheckpointStore(output.toString(), new Configuration()).load(step)) {
      float[] values = new float[(int) checkpoint.parameters().capacity()];
      checkpoint.parameters().get(values);
      return values;
    }
  }
}
