package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.HuggingFaceWeights;
import caravan.model.checkpoint.SpecialTokens;
import caravan.model.engine.TokenBatch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
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
  private static final LlamaConfig MODEL = Trainings.MODEL;
  private static final PatternSource DATA = new PatternSource(12, 60, 23, true);
  private static JavaSparkContext spark;

  /** Settings under test. */
  private enum Option {
    LION(Map.of("optimizer", new OptimizerConfig("lion", 0), "learningRate", 0.005)),
    SGD(Map.of("optimizer", new OptimizerConfig("sgd", 0.9))),
    SGD_WITHOUT_STATE(Map.of("optimizer", new OptimizerConfig("sgd", 0))),
    FREEZE(Map.of("freeze", List.of("model.embed_tokens.weight", "*.q_proj.weight"))),
    BLOCKS(Map.of("blockSteps", 2)),
    ACCUMULATION(Map.of("accumulationSteps", 3)),
    OBJECTIVE(Map.of("loss", new LossConfig(0.01, 0.1), "dropout", new DropoutConfig(0.1, 0.2))),
    ALL_OF_THEM(
        Map.of(
            "optimizer",
            new OptimizerConfig("lion", 0),
            "freeze",
            List.of("*norm*"),
            "blockSteps",
            2,
            "accumulationSteps",
            2,
            "dropout",
            new DropoutConfig(0.1, 0.2),
            "decay",
            new DecayConfig(0, 1)));

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
    spark = Trainings.spark("options");
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
    assertThat(Trainings.parameters(output, 8)).containsExactly(GraphState.of(local).parameters());
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
    assertThat(Trainings.parameters(parts, 8)).containsExactly(Trainings.parameters(whole, 8));
  }

  @Test
  void frozenTensorsKeepEveryBitThroughTheMeansOfThreeWorkers(@TempDir Path output) {
    TrainConfig config = Option.FREEZE.config(3);
    float[] before = GraphState.of(graph(config)).parameters();
    new Trainer(spark, setup(output, config)).run(() -> false, m -> {});
    float[] after = Trainings.parameters(output, 8);
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
  void workersThatAverageEachStepEqualOneWithAllTheirSequencesUnderGradientDescent(
      @TempDir Path output) {
    TrainConfig config =
        TrainConfigs.with(
            TrainConfigs.SMALL,
            Map.of(
                "optimizer",
                new OptimizerConfig("sgd", 0.9),
                "workers",
                2,
                "averagingSteps",
                1,
                "steps",
                4,
                "learningRate",
                0.3,
                "clipNorm",
                0.0,
                "dropout",
                new DropoutConfig(0.1, 0.1)));
    new Trainer(spark, setup(output, config)).run(() -> false, m -> {});
    ComputationGraph alone = graph(config);
    SequenceOrder order = SequenceOrder.of(DATA, 3, 2);
    GraphSteps steps = new GraphSteps(alone);
    for (int step = 0; step < 4; step++) {
      int[] ids = new int[8 * 12];
      int[] targets = new int[ids.length];
      for (int row = 0; row < 8; row++) {
        DATA.read(order.indexAt(row / 4, step * 4 + row % 4), ids, targets, row * 12);
      }
      steps.take(Batches.dataSet(new TokenBatch(ids, targets, 8, 12)));
    }
    float[] expected = GraphState.of(alone).parameters();
    float[] got = Trainings.parameters(output, 4);
    for (int i = 0; i < expected.length; i++) {
      assertThat(got[i]).isCloseTo(expected[i], within(2e-5f));
    }
  }

  @Test
  void epochsAreTurnedIntoStepsThatShowEachSequenceOnce(@TempDir Path output) {
    TrainConfig config =
        TrainConfigs.with(
            TrainConfigs.SMALL,
            Map.of("epochs", 2.0, "steps", 0, "workers", 2, "accumulationSteps", 3));
    // 30 sequences for each of two workers, twice, by 12 a step
    Trainer.Setup setup = setup(output, config);
    assertThat(setup.config().steps()).isEqualTo(5);
    assertThat(new Trainer(spark, setup).run(() -> false, m -> {}).step()).isEqualTo(5);
    assertThatThrownBy(() -> TrainConfigs.with(config, Map.of("steps", 7)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "train.steps, train.epochs: got 7 and 2.0, wanted exactly one of them above 0; with"
                + " epochs, set train.steps=0");
    assertThatThrownBy(() -> TrainConfigs.with(config, Map.of("epochs", 0.0)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("got 0 and 0.0");
  }

  @Test
  void metricsTellCrossEntropyBesideWhatIsOptimizedAndValidationIsPlain(@TempDir Path output) {
    TrainConfig config = Option.OBJECTIVE.config(2);
    Trainer.Setup setup = setup(output, config, Optional.of(DATA));
    double trained = new Trainer(spark, setup).run(() -> false, m -> {}).validationLoss();
    Metrics last = MetricsLog.read(output.toString(), new Configuration()).get(8);
    assertThat(last.loss() - last.crossEntropy()).isGreaterThan(0.01);
    HeldOutLoss measured = HeldOutLoss.measure(spark, setup);
    assertThat(measured.loss()).isEqualTo(trained);
    assertThat(measured.step()).isEqualTo(8);
    TrainConfig plain = TrainConfigs.with(config, Map.of("loss", LossConfig.DEFAULT));
    assertThat(HeldOutLoss.measure(spark, setup(output, plain, Optional.of(DATA))).loss())
        .isEqualTo(trained);
  }

  @Test
  void measuringTheHeldOutLossNeedsAModelAndHeldOutSequences(@TempDir Path output) {
    TrainConfig config = Option.SGD.config(1);
    assertThatThrownBy(() -> HeldOutLoss.measure(spark, setup(output, config)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("train.eval-only: got data without held-out sequences");
    assertThatThrownBy(() -> HeldOutLoss.measure(spark, setup(output, config, Optional.of(DATA))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("train.eval-only: got no checkpoint in " + output);
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
    return setup(output, config, Optional.empty());
  }

  private static Trainer.Setup setup(
      Path output, TrainConfig config, Optional<SequenceSource> validation) {
    return new Trainer.Setup(
        MODEL,
        config,
        3,
        DATA,
        validation,
        Optional.empty(),
        Resume.AUTO,
        output.toString(),
        "pattern",
        SpecialTokens.of(1, 2),
        Map.of());
  }
}
