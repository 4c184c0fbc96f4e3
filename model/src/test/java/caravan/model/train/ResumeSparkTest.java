package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.SpecialTokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResumeSparkTest {
  private static final LlamaConfig MODEL = Trainings.MODEL;
  private static final Map<String, Object> SETTINGS =
      Map.of(
          "steps",
          12,
          "workers",
          2,
          "averagingSteps",
          3,
          "checkpointSteps",
          3,
          "keepLast",
          9,
          "validationSteps",
          9);

  @TempDir static Path shared;
  private static JavaSparkContext spark;
  private static Path whole;

  @TempDir Path output;

  @BeforeAll
  static void trainUndisturbed() {
    spark = Trainings.spark("resume");
    whole = shared.resolve("whole");
    trainer(whole, Map.of()).run(() -> false, m -> {});
  }

  @AfterAll
  static void close() {
    spark.close();
  }

  private static Trainer trainer(Path output, Map<String, Object> changes) {
    return trainer(output, changes, Resume.AUTO, "pattern");
  }

  private static Trainer trainer(
      Path output, Map<String, Object> changes, Resume resume, String fingerprint) {
    Map<String, Object> settings = new HashMap<>(SETTINGS);
    settings.putAll(changes);
    return trainer(output, settings, new PatternSource(12, 61, 23, true), resume, fingerprint);
  }

  private static Trainer trainer(
      Path output,
      Map<String, Object> settings,
      SequenceSource data,
      Resume resume,
      String fingerprint) {
    return new Trainer(
        spark,
        new Trainer.Setup(
            MODEL,
            TrainConfigs.with(TrainConfigs.SMALL, settings),
            3,
            data,
            Optional.of(new PatternSource(12, 9, 23, true)),
            Optional.empty(),
            resume,
            output.toString(),
            fingerprint,
            SpecialTokens.of(1, 2),
            Map.of()));
  }

  /** Stops after the second round. */
  private void trainSixSteps() {
    trainSixSteps(Map.of());
  }

  private void trainSixSteps(Map<String, Object> changes) {
    List<Metrics> seen = new ArrayList<>();
    Trainer.Outcome stopped = trainer(output, changes).run(() -> seen.size() > 1, seen::add);
    assertThat(stopped.step()).isEqualTo(6);
  }

  private static CheckpointStore store(Path output) {
    return new CheckpointStore(output.toString(), new Configuration());
  }

  private static <T> List<T> lines(Path output, Function<Metrics, T> value) {
    return MetricsLog.read(output.toString(), new Configuration()).stream().map(value).toList();
  }

  private static Resume from(Path path) {
    return Resume.of(path.toString(), Resume.Data.CONTINUE);
  }

  @Test
  void aStopOnRequestLeavesNoTraceInCurveOrWeights() {
    trainSixSteps();
    assertThat(trainer(output, Map.of()).run(() -> false, m -> {}).finished()).isTrue();
    assertThat(lines(output, Metrics::loss)).isEqualTo(lines(whole, Metrics::loss)).hasSize(13);
    assertThat(lines(output, Metrics::validationLoss))
        .isEqualTo(lines(whole, Metrics::validationLoss));
    assertThat(Trainings.parameters(output, 12)).containsExactly(Trainings.parameters(whole, 12));
  }

  @ParameterizedTest
  @ValueSource(strings = {"stock", "sliced"})
  void aDamagedNewestCheckpointIsNamedAndTheOneBeforeGoesOn(String exchange) throws IOException {
    Map<String, Object> settings = Map.of("exchange", exchange);
    trainSixSteps(settings);
    Path file = output.resolve("checkpoints/step-00000006/caravan/optimizer.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 9] ^= 1;
    Files.write(file, bytes);
    Trainer again = trainer(output, settings);
    assertThat(again.step()).isEqualTo(3);
    assertThat(again.damaged())
        .singleElement()
        .asString()
        .contains("step-00000006/caravan/optimizer.safetensors: sha256 ");
    again.run(() -> false, m -> {});
    assertThat(Trainings.parameters(output, 12)).containsExactly(Trainings.parameters(whole, 12));
    assertThat(lines(output, Metrics::step)).isEqualTo(lines(whole, Metrics::step));
  }

  @Test
  void aCheckpointOfAnotherOutputIsGoneOnFromWithItsCurve() {
    Trainer again =
        trainer(output, Map.of(), from(whole.resolve("checkpoints/step-00000006")), "pattern");
    assertThat(again.step()).isEqualTo(6);
    again.run(() -> false, m -> {});
    assertThat(Trainings.parameters(output, 12)).containsExactly(Trainings.parameters(whole, 12));
    assertThat(lines(output, Metrics::loss)).isEqualTo(lines(whole, Metrics::loss));
    assertThat(store(output).steps()).containsExactly(9L, 12L);
    assertThat(trainer(output, Map.of(), from(whole), "pattern").step()).isEqualTo(12);
    assertThatThrownBy(() -> trainer(output, Map.of(), from(shared.resolve("none")), "pattern"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("cannot resume: " + shared.resolve("none"));
  }

  @Test
  void goingBackInTheSameOutputGivesUpTheLaterCheckpoints() {
    trainSixSteps();
    trainer(output, Map.of(), from(output.resolve("checkpoints/step-00000003")), "pattern")
        .run(() -> true, m -> {});
    assertThat(store(output).steps()).containsExactly(3L, 6L);
    assertThat(lines(output, Metrics::step)).containsExactly(0, 1, 2, 3, 4, 5, 6);
  }

  @Test
  void otherDataAreRefusedUnlessTheyAreReadFromTheirStart() {
    trainSixSteps();
    assertThatThrownBy(() -> trainer(output, Map.of(), Resume.AUTO, "other"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("it was trained with data = pattern, this run has other")
        .hasMessageContaining("resume-data=restart goes on with other data");
    trainer(output, Map.of(), Resume.of("auto", Resume.Data.RESTART), "other")
        .run(() -> false, m -> {});
    try (Checkpoint last = store(output).load(12)) {
      assertThat(last.state()).containsEntry("position", 6 * 8).containsEntry("step", 12);
    }
    assertThat(Trainings.parameters(output, 12)).isNotEqualTo(Trainings.parameters(whole, 12));
  }

  @Test
  void aCheckpointOfAnEarlierVersionIsGoneOnFrom() {
    trainer(output, Map.of("workers", 1)).run(() -> false, m -> {});
    CheckpointStore store = store(output);
    float[] last = Trainings.parameters(output, 12);
    try (Checkpoint six = store.load(6)) {
      Map<String, Object> state = new HashMap<>(six.state());
      List.of("order", "validated_step", "best_step").forEach(state::remove);
      store.clear();
      store.save(
          6,
          new Checkpoint(
              six.config(),
              six.specialTokens(),
              six.parameters(),
              six.moments(),
              Optional.empty(),
              state,
              Map.of()));
    }
    trainer(output, Map.of("workers", 1)).run(() -> false, m -> {});
    assertThat(Trainings.parameters(output, 12)).containsExactly(last);
  }

  @Test
  void aBlendOfSourcesIsResumedInItsTurnsAndRoundsTellItsShares(@TempDir Path undisturbed) {
    blended(undisturbed, 0.7).run(() -> false, m -> {});
    List<Metrics> seen = new ArrayList<>();
    blended(output, 0.7).run(() -> seen.size() > 1, seen::add);
    assertThatThrownBy(() -> blended(output, 0.6))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("it was trained with parts = ")
        .hasMessageContaining("share=0.6")
        .hasMessageContaining("resume-data=restart goes on with other data");
    blended(output, 0.7).run(() -> false, m -> {});
    assertThat(Trainings.parameters(output, 12))
        .containsExactly(Trainings.parameters(undisturbed, 12));
    assertThat(lines(output, Metrics::loss)).isEqualTo(lines(undisturbed, Metrics::loss));
    List<Map<String, Double>> shares = lines(output, Metrics::mixture);
    assertThat(shares.get(2)).isNull();
    assertThat(shares.get(3).get("en")).isBetween(0.6, 0.8);
    assertThat(lines(whole, Metrics::mixture)).containsOnlyNulls();
  }

  private static Trainer blended(Path output, double weight) {
    BlendedSequences blend =
        new BlendedSequences(
            List.of(
                new BlendedSequences.Part("en", "a", new PatternSource(12, 40, 23, true), weight),
                new BlendedSequences.Part(
                    "zh", "b", new PatternSource(12, 9, 23, false), 1 - weight)));
    return trainer(output, SETTINGS, blend, Resume.AUTO, "blend");
  }

  @Test
  void aCheckpointThatCannotBeWrittenEndsTheTraining() throws IOException {
    Files.createDirectories(output.resolve("checkpoints/latest/in-the-way"));
    assertThatThrownBy(() -> trainer(output, Map.of()).run(() -> false, m -> {}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("checkpoint of step 3 could not be written to " + output)
        .hasMessageContaining("run again to go on from the one before");
  }

  @Test
  void trainingEndsEarlyWhenValidationImprovesNoMoreAndStaysEnded() {
    Map<String, Object> settings =
        Map.of(
            "learningRate",
            0.0,
            "minLearningRate",
            0.0,
            "validationSteps",
            3,
            "earlyStopping",
            new EarlyStoppingConfig(2, 0));
    Trainer.Outcome outcome = trainer(output, settings).run(() -> false, m -> {});
    assertThat(outcome.finished()).isTrue();
    assertThat(outcome.step()).isEqualTo(6);
    assertThat(trainer(output, settings).run(() -> false, m -> {}).step()).isEqualTo(6);
  }

  @Test
  void lossesAreMeasuredOnAsManyBatchesAsAskedAndTheRoundTellsWhereItsTimeWent() {
    trainer(output, Map.of("validationBatches", 2, "steps", 3)).run(() -> false, m -> {});
    List<Metrics> lines = MetricsLog.read(output.toString(), new Configuration());
    assertThat(lines.get(0).trainingLoss()).isBetween(2.8, 3.5);
    assertThat(lines.get(3).trainingLoss()).isLessThan(lines.get(0).trainingLoss());
    Metrics.Timing timing = lines.get(3).timing();
    assertThat(timing.workerLosses()).hasSize(2);
    assertThat(timing.mfu()).isPositive().isLessThan(1);
    assertThat(timing.computeSeconds()).isPositive();
    assertThat(lines.get(2).timing()).isNull();
  }

  @Test
  void aLossThatIsNoNumberNamesTheSequencesOfItsStep() {
    Map<String, Object> wild =
        Map.of("learningRate", 1e30, "clipNorm", 0.0, "workers", 1, "schedule", "constant");
    SequenceOrder order = new SequenceOrder(61, 3);
    assertThatThrownBy(() -> trainer(output, wild).run(() -> false, m -> {}))
        .isInstanceOfSatisfying(
            NonFiniteLoss.class,
            e -> {
              int step =
                  Integer.parseInt(e.getMessage().replaceAll("(?s).*at step (\\d+);.*", "$1"));
              assertThat(e.sequences())
                  .containsExactly(
                      order.indexAt(step * 4L - 4),
                      order.indexAt(step * 4L - 3),
                      order.indexAt(step * 4L - 2),
                      order.indexAt(step * 4L - 1));
            });
  }
}
