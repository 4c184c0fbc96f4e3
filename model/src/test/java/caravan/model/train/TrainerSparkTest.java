package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.SpecialTokens;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.learning.config.Sgd;

class TrainerSparkTest {
  private static final LlamaConfig MODEL = Trainings.MODEL;
  private static final PatternSource DATA = new PatternSource(12, 60, 23, true);
  private static JavaSparkContext spark;

  @BeforeAll
  static void open() {
    spark = Trainings.spark("trainer");
  }

  @AfterAll
  static void close() {
    spark.close();
  }

  @Test
  void oneWorkerEqualsLocalTrainingBitForBit(@TempDir Path output) {
    Trainer.Setup setup = setup(output, config(8, 1, 3));
    new Trainer(spark, setup).run(() -> false, m -> {});
    ComputationGraph local =
        LlamaGraph.create(MODEL, setup.config().updater(MODEL), 0.1, 3, "cpu", 1);
    LocalTrainer.train(local, DATA, new SequenceOrder(60, 3), 0, 4, 8);
    assertThat(Trainings.parameters(output, 8)).containsExactly(GraphState.of(local).parameters());
  }

  @Test
  void twoWorkersWithPlainGradientDescentAveragedEachStepEqualOneBigBatch() {
    SequenceOrder order = new SequenceOrder(60, 3);
    ComputationGraph averaged = LlamaGraph.create(MODEL, new Sgd(0.3), 0, 3, "cpu", 1);
    ComputationGraph local = averaged.clone();
    AveragingMaster master = Masters.stock(spark, averaged, 2, 4);
    for (int step = 0; step < 6; step++) {
      long first = step * 8L;
      JavaRDD<MultiDataSet> data =
          spark
              .parallelize(List.of(0, 1), 2)
              .mapPartitionsWithIndex(
                  (w, unused) -> Batches.iterator(DATA, order, first + w * 4L, 4, 1), true);
      master.round(data);
    }
    LocalTrainer.train(local, DATA, order, 0, 8, 6);
    float[] expected = GraphState.of(local).parameters();
    float[] got = GraphState.of(averaged).parameters();
    for (int i = 0; i < expected.length; i++) {
      assertThat(got[i]).isCloseTo(expected[i], within(2e-6f));
    }
  }

  @Test
  void aResumedRunEqualsAnUninterruptedOneBitForBit(@TempDir Path whole, @TempDir Path parts) {
    TrainConfig config = config(12, 2, 3);
    new Trainer(spark, setup(whole, config)).run(() -> false, m -> {});
    List<Metrics> seen = new ArrayList<>();
    Trainer.Outcome stopped =
        new Trainer(spark, setup(parts, config)).run(() -> seen.size() > 1, seen::add);
    assertThat(stopped.finished()).isFalse();
    assertThat(stopped.step()).isEqualTo(6);
    Trainer again = new Trainer(spark, setup(parts, config));
    assertThat(again.step()).isEqualTo(6);
    assertThat(again.run(() -> false, m -> {}).finished()).isTrue();
    assertThat(Trainings.parameters(parts, 12)).containsExactly(Trainings.parameters(whole, 12));
    assertThat(losses(parts)).containsExactlyElementsOf(losses(whole)).hasSize(13);
  }

  @Test
  void theScheduleAdvancesAcrossRoundsAndShortLastRounds(@TempDir Path output) {
    TrainConfig config = config(7, 2, 3);
    new Trainer(spark, setup(output, config)).run(() -> false, m -> {});
    List<Metrics> lines = MetricsLog.read(output.toString(), new Configuration());
    assertThat(lines).extracting(Metrics::step).containsExactly(0, 1, 2, 3, 4, 5, 6, 7);
    assertThat(lines).extracting(Metrics::round).containsExactly(0, 1, 1, 1, 2, 2, 2, 3);
    for (Metrics line : lines.subList(1, 8)) {
      assertThat(line.learningRate()).isEqualTo(config.rates().valueAt(line.step() - 1, 0));
    }
  }

  @Test
  void trainingLowersTheHeldOutLoss(@TempDir Path output) {
    Trainer.Outcome outcome =
        new Trainer(spark, setup(output, config(60, 2, 5))).run(() -> false, m -> {});
    double before = MetricsLog.read(output.toString(), new Configuration()).get(0).validationLoss();
    assertThat(before).isCloseTo(Math.log(23), within(0.3));
    assertThat(outcome.validationLoss()).isLessThan(0.7 * before);
  }

  @Test
  void workersCountByTheirTargetTokens() {
    ComputationGraph start = LlamaGraph.create(MODEL, new Sgd(0.3), 0, 3, "cpu", 1);
    SequenceOrder inOrder = new SequenceOrder(1, 0);
    PatternSource halfMasked = new PatternSource(12, 1, 23, true);
    PatternSource other = new PatternSource(12, 60, 23, true);
    ComputationGraph a = start.clone();
    ComputationGraph b = start.clone();
    LocalTrainer.train(a, halfMasked, inOrder, 0, 1, 1);
    LocalTrainer.train(b, other, new SequenceOrder(60, 1), 1, 1, 1);
    long bTokens = Batches.tokens(other, new SequenceOrder(60, 1), 1, 1).targetCount();
    assertThat(bTokens).isEqualTo(12);
    AveragingMaster master = Masters.stock(spark, start, 2, 1);
    AveragingMaster.Round round =
        master.round(
            spark
                .parallelize(List.of(0, 1), 2)
                .mapPartitionsWithIndex(
                    (w, unused) ->
                        w == 0
                            ? Batches.iterator(halfMasked, inOrder, 0, 1, 1)
                            : Batches.iterator(other, new SequenceOrder(60, 1), 1, 1, 1),
                    true));
    assertThat(round.targetTokens()).isEqualTo(18);
    float[] left = GraphState.of(a).parameters();
    float[] right = GraphState.of(b).parameters();
    float[] got = GraphState.of(start).parameters();
    for (int i = 0; i < got.length; i++) {
      assertThat(got[i]).isCloseTo((6 * left[i] + 12 * right[i]) / 18, within(1e-6f));
    }
  }

  @Test
  void aCheckpointOfAnotherTrainingIsRefused(@TempDir Path output) {
    new Trainer(spark, setup(output, config(2, 1, 2))).run(() -> false, m -> {});
    assertThatThrownBy(() -> new Trainer(spark, setup(output, config(4, 2, 2))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("it was trained with train.workers = 1, this run has 2")
        .hasMessageContaining("resume=never");
  }

  @Test
  void startingOverForgetsTheEarlierCheckpoints(@TempDir Path output) {
    new Trainer(spark, setup(output, config(6, 1, 3))).run(() -> false, m -> {});
    Trainer.Setup once = setup(output, config(3, 2, 3));
    Trainer.Setup over =
        new Trainer.Setup(
            MODEL,
            once.config(),
            3,
            DATA,
            once.validation(),
            Optional.empty(),
            Resume.NEVER,
            once.output(),
            "pattern",
            once.specialTokens(),
            Map.of());
    assertThat(new Trainer(spark, over).run(() -> false, m -> {}).step()).isEqualTo(3);
    assertThat(new CheckpointStore(output.toString(), new Configuration()).steps())
        .containsExactly(3L);
    assertThat(losses(output)).hasSize(4);
  }

  @Test
  void aLossThatIsNoNumberStopsTheTrainingAndNamesTheLastGoodCheckpoint(@TempDir Path output) {
    new Trainer(spark, setup(output, config(4, 1, 2))).run(() -> false, m -> {});
    TrainConfig wild =
        TrainConfigs.with(
            config(20, 1, 2),
            Map.of(
                "learningRate",
                1e30,
                "minLearningRate",
                0.0,
                "warmupSteps",
                0,
                "clipNorm",
                0.0,
                "weightDecay",
                0.0,
                "schedule",
                "constant",
                "checkpointSteps",
                2));
    assertThatThrownBy(() -> new Trainer(spark, setup(output, wild)).run(() -> false, m -> {}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageMatching("(training loss|gradient's norm) is (NaN|Infinity) at step .*")
        .hasMessageContaining(
            "; last good checkpoint: "
                + output.resolve("checkpoints/step-00000004")
                + "; lower train.learning-rate or train.clip-norm and run again");
  }

  @Test
  void aModelTooLargeForTheDriversResultLimitIsRefused(@TempDir Path output) {
    LlamaConfig large = new LlamaConfig(1024, 512, 1, 8, 8, 128, 60_000, 12, 10000, 1e-5, true);
    Trainer.Setup small = setup(output, config(2, 2, 1));
    Trainer.Setup setup =
        new Trainer.Setup(
            large,
            small.config(),
            1,
            DATA,
            Optional.empty(),
            Optional.empty(),
            Resume.AUTO,
            output.toString(),
            "d",
            SpecialTokens.of(1, 2),
            Map.of());
    assertThatThrownBy(() -> new Trainer(spark, setup))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("spark.driver.maxResultSize: got 1073741824 bytes");
  }

  private static TrainConfig config(int steps, int workers, int averagingSteps) {
    return TrainConfigs.with(
        TrainConfigs.SMALL,
        Map.of("steps", steps, "workers", workers, "averagingSteps", averagingSteps));
  }

  private static Trainer.Setup setup(Path output, TrainConfig config) {
    return new Trainer.Setup(
        MODEL,
        config,
        3,
        DATA,
        Optional.of(new PatternSource(12, 9, 23, true)),
        Optional.empty(),
        Resume.AUTO,
        output.toString(),
        "pattern",
        SpecialTokens.of(1, 2),
        Map.of());
  }

  private static List<Double> losses(Path output) {
    return MetricsLog.read(output.toString(), new Configuration()).stream()
        .map(Metrics::loss)
        .toList();
  }
}
