package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.checkpoint.SpecialTokens;
import caravan.model.engine.WeightType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.linalg.learning.config.Sgd;

class LoraSparkTest {
  private static final LlamaConfig MODEL = Trainings.MODEL;
  private static final Configuration HADOOP = new Configuration();
  private static final PatternSource DATA = new PatternSource(12, 60, 23, true);
  private static final LoraConfig LORA =
      new LoraConfig(2, 4, 0.1, LoraConfig.PROJECTIONS, false, List.of("norm"));

  @TempDir static Path shared;
  private static String base;
  private static JavaSparkContext spark;

  @BeforeAll
  static void open() {
    spark = Trainings.spark("lora");
    base = shared.resolve("base").toString();
    ComputationGraph graph = LlamaGraph.create(MODEL, new Sgd(0.1), 7, "cpu", 1);
    FloatPointer parameters = new FloatPointer(graph.params().data().addressPointer());
    Checkpoints.export(
        base, HADOOP, Checkpoint.ofModel(MODEL, SpecialTokens.of(1, 2), parameters, Map.of()));
  }

  @AfterAll
  static void close() {
    spark.close();
  }

  private static Trainer.Setup setup(Path output, int steps, Checkpoint start) {
    return setup(
        output,
        TrainConfigs.with(
            TrainConfigs.SMALL, Map.of("steps", steps, "workers", 2, "averagingSteps", 3)),
        start);
  }

  private static Trainer.Setup setup(Path output, TrainConfig config, Checkpoint start) {
    return new Trainer.Setup(
        start.config(),
        config,
        3,
        DATA,
        Optional.of(new PatternSource(12, 9, 23, true)),
        Optional.of(start.parameters()),
        Resume.AUTO,
        output.toString(),
        "pattern",
        SpecialTokens.of(1, 2),
        Map.of(),
        start.adaptation());
  }

  private static Checkpoint start(LoraConfig lora) {
    try (Checkpoint whole = Checkpoints.open(base, HADOOP)) {
      return Checkpoints.adapted(base, HADOOP, whole, MODEL, lora, 3);
    }
  }

  private static float[] trained(Path output, long step) {
    try (Checkpoint checkpoint = new CheckpointStore(output.toString(), HADOOP).load(step)) {
      assertThat(checkpoint.adaptation().orElseThrow().lora()).isEqualTo(LORA);
      float[] values = new float[(int) new AdapterLayout(MODEL, LORA).length()];
      checkpoint.parameters().get(values);
      return values;
    }
  }

  @Test
  void twoWorkersTrainAdaptersAloneAndAResumedRunHasTheSameBits(
      @TempDir Path whole, @TempDir Path parts) throws Exception {
    byte[] before = Files.readAllBytes(Path.of(base, "model.safetensors"));
    try (Checkpoint start = start(LORA)) {
      Trainer.Outcome outcome =
          new Trainer(spark, setup(whole, 12, start)).run(() -> false, m -> {});
      List<Metrics> lines = MetricsLog.read(whole.toString(), HADOOP);
      assertThat(outcome.validationLoss()).isLessThan(lines.get(0).validationLoss());
      List<Metrics> seen = new ArrayList<>();
      Trainer.Outcome stopped =
          new Trainer(spark, setup(parts, 12, start)).run(() -> seen.size() > 1, seen::add);
      assertThat(stopped.step()).isEqualTo(6);
      new Trainer(spark, setup(parts, 12, start)).run(() -> false, m -> {});
    }
    assertThat(trained(parts, 12)).containsExactly(trained(whole, 12));
    assertThat(Files.readAllBytes(Path.of(base, "model.safetensors"))).isEqualTo(before);
    Path step = whole.resolve("checkpoints/step-00000012");
    assertThat(step.resolve("adapter_config.json")).exists();
    assertThat(step.resolve("model.safetensors")).doesNotExist();
    assertThat(Files.size(step.resolve("adapter_model.safetensors")))
        .isLessThan(Files.size(Path.of(base, "model.safetensors")));
    try (Checkpoint merged = Checkpoints.open(step.toString(), HADOOP)) {
      assertThat(merged.parameters().limit()).isEqualTo(new ParameterLayout(MODEL).length());
    }
  }

  @Test
  void theSlicedExchangeGivesTheBitsOfTheStockOneAlsoAfterAStop(
      @TempDir Path stock, @TempDir Path sliced) {
    TrainConfig config =
        TrainConfigs.with(
            TrainConfigs.SMALL, Map.of("steps", 12, "workers", 2, "averagingSteps", 3));
    TrainConfig other = TrainConfigs.with(config, Map.of("exchange", "sliced"));
    try (Checkpoint start = start(LORA)) {
      Trainer.Outcome wanted =
          new Trainer(spark, setup(stock, config, start)).run(() -> false, m -> {});
      List<Metrics> seen = new ArrayList<>();
      new Trainer(spark, setup(sliced, other, start)).run(() -> seen.size() > 1, seen::add);
      Trainer.Outcome got =
          new Trainer(spark, setup(sliced, other, start)).run(() -> false, m -> {});
      assertThat(got.validationLoss()).isEqualTo(wanted.validationLoss());
    }
    assertThat(trained(sliced, 12)).containsExactly(trained(stock, 12));
    Path checkpoint = sliced.resolve("checkpoints/step-00000012");
    for (String name : List.of("adapter_model.safetensors", "caravan/optimizer.safetensors")) {
      assertThat(checkpoint.resolve(name))
          .hasSameBinaryContentAs(stock.resolve("checkpoints/step-00000012").resolve(name));
    }
    assertThat(checkpoint.resolve("model.safetensors")).doesNotExist();
  }

  @ParameterizedTest
  @EnumSource(
      value = WeightType.class,
      names = {"BF16", "Q8_0"})
  void besideAPackedBaseTrainingGoesOnWithTheSameBitsAndOnlyBesideTheSame(
      WeightType type, @TempDir Path whole, @TempDir Path parts) {
    try (Checkpoint start = start(LORA).withBaseWeights(type);
        Checkpoint floats = start(LORA)) {
      Trainer.Outcome outcome =
          new Trainer(spark, setup(whole, 12, start)).run(() -> false, m -> {});
      double first = MetricsLog.read(whole.toString(), HADOOP).get(0).validationLoss();
      assertThat(outcome.validationLoss()).isLessThan(first);
      List<Metrics> seen = new ArrayList<>();
      new Trainer(spark, setup(parts, 12, start)).run(() -> seen.size() > 1, seen::add);
      new Trainer(spark, setup(parts, 12, start)).run(() -> false, m -> {});
      assertThat(trained(parts, 12)).containsExactly(trained(whole, 12));
      assertThatThrownBy(() -> new Trainer(spark, setup(parts, 15, floats)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("beside a base in " + type.key())
          .hasMessageContaining("this run has LoraConfig");
    }
  }

  @Test
  void aTrainingOfAllParametersDoesNotGoOnFromAdapters(@TempDir Path output) {
    try (Checkpoint start = start(LORA);
        Checkpoint all = Checkpoints.open(base, HADOOP)) {
      new Trainer(spark, setup(output, 3, start)).run(() -> false, m -> {});
      assertThatThrownBy(() -> new Trainer(spark, setup(output, 6, all)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("it was trained with lora = LoraConfig[rank=2")
          .hasMessageContaining("this run has none");
    }
  }

  @Test
  void whatAdaptersCannotBeTrainedWithIsRefused(@TempDir Path output) {
    try (Checkpoint start = start(LORA)) {
      assertRefused(
          output, Map.of("freeze", List.of("model.norm.weight")), start, "train.freeze and");
    }
  }

  private static void assertRefused(
      Path output, Map<String, Object> changes, Checkpoint start, String message) {
    TrainConfig config = TrainConfigs.with(TrainConfigs.SMALL, changes);
    assertThatThrownBy(() -> new Trainer(spark, setup(output, config, start)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  @Test
  void aGrownVocabularyWantsEmbeddingsTrainedInFull() {
    LlamaConfig grown = MODEL.withVocabSize(25);
    try (Checkpoint whole = Checkpoints.open(base, HADOOP);
        FloatPointer more = new FloatPointer(new ParameterLayout(grown).length())) {
      Checkpoint larger = Checkpoint.ofModel(grown, SpecialTokens.of(1, 2), more, Map.of());
      assertThatThrownBy(() -> Checkpoints.adapted(base, HADOOP, larger, grown, LORA, 3))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("made for a vocabulary of 25 ids, the base has 23")
          .hasMessageContaining("lora.modules-to-save");
      LoraConfig full = new LoraConfig(2, 4, 0, List.of("q_proj"), false, List.of("embed_tokens"));
      try (Checkpoint adapted = Checkpoints.adapted(base, HADOOP, larger, grown, full, 3)) {
        assertThat(adapted.config().vocabSize()).isEqualTo(25);
      }
    }
  }
}
