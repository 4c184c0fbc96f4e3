package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.ParameterRanges;
import caravan.model.checkpoint.SpecialTokens;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.storage.BlockId;
import org.apache.spark.storage.RDDBlockId;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.learning.config.Sgd;
import scala.collection.JavaConverters;

class SlicedExchangeSparkTest {
  private static final LlamaConfig MODEL = Trainings.MODEL;
  private static final PatternSource DATA = new PatternSource(12, 60, 23, true);
  private static final int SLICE = 1000;
  private static JavaSparkContext spark;

  @BeforeAll
  static void open() {
    spark = Trainings.spark("exchange");
  }

  @AfterAll
  static void close() {
    spark.close();
  }

  /** Workers differ in target tokens and, in the last round, in steps. */
  @Test
  void slicesEqualTheStockExchangeBitForBit() {
    ComputationGraph stock = graph();
    AveragingMaster onDriver = Masters.stock(spark, stock, 3, 4);
    SlicedExchange slices = exchange(Optional.empty());
    AveragingMaster onExecutors = master(slices);
    for (int round = 0; round < 3; round++) {
      AveragingMaster.Round wanted = onDriver.round(data(round));
      AveragingMaster.Round got = onExecutors.round(data(round));
      assertThat(got.losses()).containsExactly(wanted.losses());
      assertThat(got.gradientNorms()).containsExactly(wanted.gradientNorms());
      assertThat(got.targetTokens()).isEqualTo(wanted.targetTokens());
      assertThat(got.workers()).hasSize(3);
      assertThat(state(slices)).containsExactly(state(stock));
      assertThat(slices.state().step())
          .isEqualTo(GraphState.of(stock).step())
          .isEqualTo(2 + 2 * round);
    }
    slices.release();
  }

  @Test
  void anOuterStepOfRateOneWithoutMomentumIsTheMeanBitForBit() {
    SlicedExchange mean = exchange(Optional.empty());
    SlicedExchange outer = exchange(Optional.of(new OuterOptimizer(1, 0)));
    AveragingMaster first = master(mean);
    AveragingMaster second = master(outer);
    for (int round = 0; round < 2; round++) {
      first.round(data(round));
      second.round(data(round));
      assertThat(state(outer)).containsExactly(state(mean));
    }
    mean.release();
    outer.release();
  }

  @Test
  void everyRoundsBlocksAreFreed() throws InterruptedException {
    SlicedExchange slices = exchange(Optional.empty());
    AveragingMaster master = master(slices);
    master.round(data(0));
    master.round(data(1));
    int last = slices.state().reader().blocks().id();
    awaitStates(Set.of(last));
    StateBlocks kept = slices.state().retain();
    slices.release();
    Thread.sleep(300);
    awaitStates(Set.of(last));
    kept.release();
    awaitStates(Set.of());
  }

  /** Without a checkpoint, so that every round may have to be trained again. */
  @Test
  void roundsThatAreOverLeaveNoDataNoSlicesAndNoShuffles(@TempDir Path output)
      throws InterruptedException {
    List<WeakReference<RDD<MultiDataSet>>> made = new ArrayList<>();
    try (SlicedModel model = new SlicedModel(spark, setup(output, Map.of("workers", 3)))) {
      for (int round = 0; round < 12; round++) {
        model.round(
            () -> {
              JavaRDD<MultiDataSet> data = data(0);
              made.add(new WeakReference<>(data.rdd()));
              return data;
            });
      }
      await(
          () -> {
            System.gc();
            return "data of rounds: " + made.stream().filter(r -> r.get() != null).count();
          },
          "data of rounds: [0-3]");
      await(() -> "states: " + states().size(), "states: 1");
      await(() -> "shuffles: " + shuffleFiles(), "shuffles: 0");
    }
    assertThat(made).hasSize(12);
  }

  @ParameterizedTest
  @ValueSource(strings = {"fp32", "bf16"})
  void aRoundWithoutBatchesFailsAndChangesNothing(String precision, @TempDir Path output)
      throws InterruptedException {
    Trainer.Setup setup = setup(output, Map.of("workers", 3, "exchangePrecision", precision));
    try (SlicedModel expected = new SlicedModel(spark, setup);
        SlicedModel model = new SlicedModel(spark, setup)) {
      expected.round(() -> data(0));
      model.round(() -> data(0));
      assertThatThrownBy(() -> model.round(() -> data(1, List.of(0, 0, 0))))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("training round: no worker got a batch");
      assertThat(model.round(() -> data(1)).losses())
          .containsExactly(expected.round(() -> data(1)).losses());
      await(() -> "states: " + states().size(), "states: 2");
    }
  }

  @Test
  void aWorkerWithoutABatchLeavesTheMeanToTheOthersAsTheStockExchangeDoes() {
    ComputationGraph stock = graph();
    AveragingMaster onDriver = Masters.stock(spark, stock, 3, 4);
    SlicedExchange slices = exchange(Optional.empty());
    AveragingMaster onExecutors = master(slices);
    List<List<Integer>> batches = List.of(List.of(2, 0, 1), List.of(0, 0, 2), List.of(0, 1, 0));
    int steps = 0;
    for (int round = 0; round < batches.size(); round++) {
      List<Integer> counts = batches.get(round);
      AveragingMaster.Round wanted = onDriver.round(data(round, counts));
      AveragingMaster.Round got = onExecutors.round(data(round, counts));
      assertThat(got.losses()).containsExactly(wanted.losses());
      assertThat(got.targetTokens()).isEqualTo(wanted.targetTokens());
      assertThat(got.workers()).hasSize((int) counts.stream().filter(n -> n > 0).count());
      assertThat(state(slices)).containsExactly(state(stock));
      steps += Collections.max(counts);
      assertThat(slices.state().step()).isEqualTo(steps);
    }
    slices.release();
  }

  @Test
  void slicesThatAreLostBeforeAMeasurementAreTrainedAgain(@TempDir Path output) {
    Trainer.Setup setup = setup(output, Map.of("workers", 3, "validationSequences", 9L));
    Validator validator =
        Validator.heldOut(spark, setup.config(), setup.validation().orElseThrow());
    try (SlicedModel model = new SlicedModel(spark, setup)) {
      model.round(() -> data(0));
      model.round(() -> data(1));
      double loss = model.measured(validator::loss);
      spark
          .getPersistentRDDs()
          .keySet()
          .forEach(rdd -> SparkEnv.get().blockManager().removeRdd(rdd));
      assertThat(model.measured(validator::loss)).isEqualTo(loss);
      assertThat(model.round(() -> data(2)).losses()).hasSize(2);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"average", "nesterov"})
  void checkpointsOfBothExchangesAreTheSameFiles(
      String outer, @TempDir Path stock, @TempDir Path sliced) throws IOException {
    train(stock, 7, "stock", outer);
    train(sliced, 7, "sliced", outer);
    for (String file :
        List.of("model.safetensors", "caravan/optimizer.safetensors", "config.json")) {
      assertThat(bytes(sliced, file)).as(file).isEqualTo(bytes(stock, file));
    }
    boolean moving = outer.equals("nesterov");
    assertThat(sliced.resolve("checkpoints/step-00000007/caravan/outer.safetensors").toFile())
        .matches(file -> file.exists() == moving);
    if (moving) {
      String file = "caravan/outer.safetensors";
      assertThat(bytes(sliced, file)).isEqualTo(bytes(stock, file));
    }
  }

  @Test
  void aResumedRunWithAnOuterOptimizerEqualsAnUninterruptedOne(
      @TempDir Path whole, @TempDir Path parts) throws IOException {
    train(whole, 9, "sliced", "nesterov");
    List<Metrics> seen = new ArrayList<>();
    Trainer.Outcome stopped =
        new Trainer(spark, setup(parts, 9, "sliced", "nesterov"))
            .run(() -> seen.size() > 1, seen::add);
    assertThat(stopped.step()).isEqualTo(6);
    train(parts, 9, "sliced", "nesterov");
    for (String file :
        List.of(
            "model.safetensors", "caravan/optimizer.safetensors", "caravan/outer.safetensors")) {
      Path name = Path.of("checkpoints/step-00000009", file);
      assertThat(Files.readAllBytes(parts.resolve(name)))
          .as(file)
          .isEqualTo(Files.readAllBytes(whole.resolve(name)));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"average", "local"})
  void oneWorkerIsLocalTrainingBitForBit(String moments, @TempDir Path output) throws IOException {
    Trainer.Setup setup = setup(output, Map.of("workers", 1, "steps", 7, "moments", moments));
    new Trainer(spark, setup).run(() -> false, m -> {});
    ComputationGraph local = Trainer.initial(setup);
    LocalTrainer.train(local, DATA, new SequenceOrder(60, 3), 0, 4, 7);
    assertThat(Trainings.parameters(output, 7)).containsExactly(GraphState.of(local).parameters());
    if (moments.equals("local")) {
      try (var kept = Files.list(output.resolve("moments"))) {
        assertThat(kept.map(path -> path.getFileName().toString()).sorted())
            .containsExactly("step-00000006", "step-00000007");
      }
    }
  }

  @Test
  void twoWorkersWithPlainGradientDescentAveragedEachStepEqualOneBigBatch() {
    SequenceOrder order = new SequenceOrder(60, 3);
    ComputationGraph local = LlamaGraph.create(MODEL, new Sgd(0.3), 0, 3, "cpu", 1);
    SlicedExchange slices = exchange(local, 0, Optional.empty(), ExchangePrecision.FP32);
    AveragingMaster master = master(local, slices, 2);
    for (int step = 0; step < 4; step++) {
      long first = step * 8L;
      master.round(
          spark
              .parallelize(List.of(0, 1), 2)
              .mapPartitionsWithIndex(
                  (w, unused) -> Batches.iterator(DATA, order, first + w * 4L, 4, 1), true));
    }
    LocalTrainer.train(local, DATA, order, 0, 8, 4);
    assertThat(state(slices)).containsExactly(GraphState.of(local).parameters(), within(2e-6f));
    slices.release();
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "FP16"})
  void changesIn16BitsAreAveragedAndAddedToWhatTheRoundBeganWith(ExchangePrecision precision) {
    ComputationGraph start = graph();
    SlicedExchange slices = exchange(start, 2 * start.numParams(), Optional.empty(), precision);
    AveragingMaster.Round round = master(start, slices, 3).round(data(0));
    MeanWeights weights =
        MeanWeights.of(round.workers().stream().map(AveragingMaster.Part::targetTokens).toList());
    float[] first = GraphState.of(start).parameters();
    List<float[]> changed = new ArrayList<>();
    for (int worker = 0; worker < 3; worker++) {
      ComputationGraph replica = graph();
      LocalTrainer.train(
          replica, DATA, new SequenceOrder(60, 3), worker * 8L, 4, worker == 0 ? 1 : 2);
      changed.add(GraphState.of(replica).parameters());
    }
    float[] got = state(slices);
    for (int slice = 0; slice < first.length; slice += SLICE) {
      int end = Math.min(first.length, slice + SLICE);
      for (int i = slice; i < end; i++) {
        float mean = 0;
        for (int worker = 0; worker < 3; worker++) {
          float scale = precision.scale(largest(changed.get(worker), first, slice, end));
          float change = (changed.get(worker)[i] - first[i]) * scale;
          mean += weights.weights()[worker] * (precision.decode(precision.encode(change)) / scale);
        }
        assertThat(got[i]).isEqualTo(mean / weights.divisor() + first[i]);
      }
    }
    slices.release();
  }

  private static float largest(float[] values, float[] start, int from, int to) {
    float largest = 0;
    for (int i = from; i < to; i++) {
      largest = Math.max(largest, Math.abs(values[i] - start[i]));
    }
    return largest;
  }

  @ParameterizedTest
  @ValueSource(strings = {"fp32", "bf16", "fp16"})
  void workersFindTheirOwnMomentsAgainAfterAResume(
      String precision, @TempDir Path whole, @TempDir Path parts) throws IOException {
    Map<String, Object> changes =
        Map.of("workers", 2, "steps", 7, "moments", "local", "exchangePrecision", precision);
    new Trainer(spark, setup(whole, changes)).run(() -> false, m -> {});
    List<Metrics> seen = new ArrayList<>();
    new Trainer(spark, setup(parts, changes)).run(() -> seen.size() > 0, seen::add);
    new Trainer(spark, setup(parts, changes)).run(() -> false, m -> {});
    assertThat(bytes(parts, "model.safetensors")).isEqualTo(bytes(whole, "model.safetensors"));
  }

  /** A round from moments of zero is a fresh optimizer's first, but for the learning rate. */
  @Test
  void momentsThatAreResetBeginEveryRoundAsAFreshOptimizerWould(@TempDir Path output) {
    Map<String, Object> changes =
        Map.of(
            "workers", 1, "steps", 7, "moments", "reset", "schedule", "constant", "warmupSteps", 0);
    Trainer.Setup setup = setup(output, changes);
    new Trainer(spark, setup).run(() -> false, m -> {});
    ComputationGraph local = Trainer.initial(setup);
    for (int step = 0; step < 7; step += 3) {
      int steps = Math.min(3, 7 - step);
      local.getConfiguration().setIterationCount(0);
      local.getUpdater().getStateViewArray().assign(0);
      LocalTrainer.train(local, DATA, new SequenceOrder(60, 3), step * 4L, 4, steps);
    }
    assertThat(Trainings.parameters(output, 7)).containsExactly(GraphState.of(local).parameters());
  }

  @Test
  void theStockExchangeRefusesWhatOnlySlicesOffer() {
    assertThatThrownBy(() -> TrainConfigs.with(TrainConfigs.SMALL, Map.of("moments", "local")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("train.exchange: got stock with train.moments = local")
        .hasMessageContaining("wanted sliced");
    assertThatThrownBy(
            () -> TrainConfigs.with(TrainConfigs.SMALL, Map.of("exchangePrecision", "bf16")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("train.exchange: got stock with train.exchange-precision = bf16")
        .hasMessageContaining("wanted sliced");
  }

  private static byte[] bytes(Path output, String file) throws IOException {
    return Files.readAllBytes(output.resolve("checkpoints/step-00000007").resolve(file));
  }

  private static void train(Path output, int steps, String exchange, String outer) {
    new Trainer(spark, setup(output, steps, exchange, outer)).run(() -> false, m -> {});
  }

  private static Trainer.Setup setup(Path output, int steps, String exchange, String outer) {
    return setup(
        output,
        Map.of(
            "steps",
            steps,
            "workers",
            2,
            "exchange",
            exchange,
            "outer",
            new OuterConfig(outer, 0.7, 0.9)));
  }

  /** A sliced exchange unless the changes say otherwise. */
  private static Trainer.Setup setup(Path output, Map<String, Object> changes) {
    Map<String, Object> all = new HashMap<>(Map.of("exchange", "sliced"));
    all.putAll(changes);
    TrainConfig config = TrainConfigs.with(TrainConfigs.SMALL, all);
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

  /** Three workers of one, two and two batches of four sequences. */
  private static JavaRDD<MultiDataSet> data(int round) {
    return data(round, List.of(1, 2, 2));
  }

  /** So many batches of four sequences for each of three workers. */
  private static JavaRDD<MultiDataSet> data(int round, List<Integer> batches) {
    SequenceOrder order = new SequenceOrder(60, 3);
    return spark
        .parallelize(List.of(0, 1, 2), 3)
        .mapPartitionsWithIndex(
            (w, unused) -> Batches.iterator(DATA, order, round * 24L + w * 8L, 4, batches.get(w)),
            true);
  }

  private static AveragingMaster master(SlicedExchange exchange) {
    return master(graph(), exchange, 3);
  }

  private static AveragingMaster master(
      ComputationGraph graph, SlicedExchange exchange, int workers) {
    return new AveragingMaster(
        spark, graph.getConfiguration(), workers, 4, 1, exchange, Moments.AVERAGE, false);
  }

  private static SlicedExchange exchange(Optional<OuterOptimizer> outer) {
    ComputationGraph graph = graph();
    return exchange(graph, 2 * graph.numParams(), outer, ExchangePrecision.FP32);
  }

  /** Many small slices, the last of each part shorter. */
  private static SlicedExchange exchange(
      ComputationGraph graph,
      long updaterState,
      Optional<OuterOptimizer> outer,
      ExchangePrecision precision) {
    SlicedExchange exchange =
        new SlicedExchange(
            spark,
            graph.getConfiguration().toJson(),
            new Slicing(graph.numParams(), updaterState, SLICE),
            outer,
            new ParameterRanges(List.of()),
            precision);
    exchange.begin(new Origin.Fresh());
    return exchange;
  }

  private static ComputationGraph graph() {
    AdamW adam =
        new AdamW(new Schedule(Schedule.Kind.COSINE, 0.05, 0.001, 3, 8, 0), 0.9, 0.95, 1e-8, 1);
    return LlamaGraph.create(MODEL, adam, 0.1, 3, "cpu", 1);
  }

  private static float[] state(ComputationGraph graph) {
    GraphState state = GraphState.of(graph);
    FloatList floats = new FloatList();
    floats.add(state.parameters());
    floats.add(state.updaterState());
    return floats.array();
  }

  private static float[] state(SlicedExchange exchange) {
    FloatList floats = new FloatList();
    for (int i = 0; i < exchange.state().slicing().count(); i++) {
      byte[] bytes = exchange.state().reader().slice(i);
      float[] slice = new float[bytes.length / 4];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(slice);
      floats.add(slice);
    }
    return floats.array();
  }

  /** Blocks are deleted in the background. */
  private static void awaitStates(Set<Integer> wanted) throws InterruptedException {
    await(() -> "states " + states(), Pattern.quote("states " + wanted));
  }

  private static void await(Supplier<String> got, String wanted) throws InterruptedException {
    for (int tenths = 0; !got.get().matches(wanted); tenths++) {
      assertThat(tenths).as(got.get() + ", wanted " + wanted).isLessThan(300);
      Thread.sleep(100);
    }
  }

  private static long shuffleFiles() {
    return JavaConverters.seqAsJavaList(
            SparkEnv.get().blockManager().diskBlockManager().getAllBlocks())
        .stream()
        .filter(BlockId::isShuffle)
        .count();
  }

  /** Ids of the states of which blocks are stored. */
  private static Set<Integer> states() {
    return JavaConverters.seqAsJavaList(
            SparkEnv.get().blockManager().getMatchingBlockIds(id -> id.isRDD()))
        .stream()
        .map(id -> ((RDDBlockId) id).rddId())
        .collect(Collectors.toSet());
  }

  private static final class FloatList {
    private float[] floats = new float[0];

    void add(float[] more) {
      int length = floats.length;
      floats = java.util.Arrays.copyOf(floats, length + more.length);
      System.arraycopy(more, 0, floats, length, more.length);
    }

    float[] array() {
      return floats;
    }
  }
}
