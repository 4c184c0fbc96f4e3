package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.SpecialTokens;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/**
 * Rounds on two executor processes of a standalone cluster against replicas trained by hand in this
 * process.
 */
class AveragingMasterIT {
  private static final int ROUNDS = 3;
  private static final int STEPS = 2;
  private static final LlamaConfig MODEL =
      new LlamaConfig(16, 24, 1, 4, 2, 4, 23, 12, 10000, 1e-5, true);
  private static final PatternSource DATA = new PatternSource(12, 48, 23, false);

  @TempDir static Path directory;
  private static StandaloneCluster cluster;
  private static JavaSparkContext spark;

  @BeforeAll
  static void open() throws Exception {
    cluster = new StandaloneCluster(directory, 2);
    spark = new JavaSparkContext(cluster.conf("averaging"));
  }

  @AfterAll
  static void close() throws Exception {
    spark.close();
    cluster.close();
  }

  /** A killed executor is replaced after a while; each worker is to have one of its own. */
  @BeforeEach
  void awaitTwoExecutors() throws InterruptedException {
    for (int i = 0; spark.sc().statusTracker().getExecutorInfos().length < 3; i++) {
      assertThat(i).as("tenths of a second without two executors").isLessThan(600);
      Thread.sleep(100);
    }
  }

  @Test
  void roundsOnTwoExecutorsEqualTheMeansOfReplicasTrainedByHand() {
    ComputationGraph expected = graph();
    ComputationGraph trained = graph();
    AveragingMaster master = Masters.stock(spark, trained, 2, 4);
    for (int round = 0; round < ROUNDS; round++) {
      AveragingMaster.Round report = master.round(data(round * 2 * STEPS, Optional.empty()));
      assertThat(report.steps()).isEqualTo(STEPS);
      byHand(expected, round * 2 * STEPS);
      assertThat(GraphState.of(trained).parameters())
          .containsExactly(GraphState.of(expected).parameters());
      assertThat(GraphState.of(trained).updaterState())
          .containsExactly(GraphState.of(expected).updaterState());
      assertThat(GraphState.of(trained).step()).isEqualTo((round + 1) * STEPS);
    }
  }

  /** The second round's executor takes half of the state's slices with it. */
  @Test
  void anExecutorKilledInARoundChangesNoBitOfSlicedTraining(@TempDir Path output) {
    Trainer.Setup setup = setup(output, "recompute");
    ComputationGraph expected = Trainer.initial(setup);
    try (SlicedModel model = new SlicedModel(spark, setup)) {
      for (int round = 0; round < ROUNDS; round++) {
        int first = round * 2 * STEPS;
        Optional<String> kill =
            round == 1 ? Optional.of(output.resolve("killed").toString()) : Optional.empty();
        AveragingMaster.Round report = model.round(() -> data(first, kill));
        assertThat(report.workers()).hasSize(2);
        byHand(expected, first);
      }
      assertThat(output.resolve("killed")).exists();
      assertThat(parameters(model, output)).containsExactly(GraphState.of(expected).parameters());
    }
  }

  @Test
  void aRoundGoesOnWithoutALostWorkerWhereThatIsWanted(@TempDir Path output) {
    Trainer.Setup setup = setup(output, "continue");
    ComputationGraph expected = Trainer.initial(setup);
    batches(0, STEPS).forEachRemaining(expected::fit);
    try (SlicedModel model = new SlicedModel(spark, setup)) {
      AveragingMaster.Round report =
          model.round(() -> data(0, Optional.of(output.resolve("killed").toString())));
      assertThat(report.workers()).hasSize(1);
      assertThat(parameters(model, output)).containsExactly(GraphState.of(expected).parameters());
    }
  }

  /**
   * Two workers' batches.
   *
   * @param killed a file that the second worker makes when it ends its executor, once
   */
  private static JavaRDD<MultiDataSet> data(int first, Optional<String> killed) {
    String file = killed.orElse("");
    return spark
        .parallelize(List.of(0, 1), 2)
        .mapPartitionsWithIndex(
            (worker, i) -> {
              if (worker == 1 && !file.isEmpty() && Files.notExists(Path.of(file))) {
                Thread.sleep(4000);
                Files.createFile(Path.of(file));
                Runtime.getRuntime().halt(9);
              }
              return batches(first + worker * STEPS, STEPS);
            },
            true);
  }

  private static float[] parameters(SlicedModel model, Path output) {
    CheckpointStore store = new CheckpointStore(output.toString(), new Configuration());
    try (TrainedModel.Snapshot snapshot = model.snapshot()) {
      snapshot.save(store, 6, Map.of());
    }
    try (Checkpoint checkpoint = store.load(6)) {
      float[] values = new float[(int) checkpoint.parameters().capacity()];
      checkpoint.parameters().get(values);
      return values;
    }
  }

  private static Trainer.Setup setup(Path output, String onLoss) {
    TrainConfig config =
        TrainConfigs.with(
            TrainConfigs.SMALL, Map.of("workers", 2, "exchange", "sliced", "onWorkerLoss", onLoss));
    return new Trainer.Setup(
        MODEL,
        config,
        5,
        DATA,
        Optional.empty(),
        Optional.empty(),
        Resume.NEVER,
        output.toString(),
        "pattern",
        SpecialTokens.of(1, 2),
        Map.of());
  }

  private static void byHand(ComputationGraph graph, int first) {
    List<GraphState> replicas = new ArrayList<>();
    for (int worker = 0; worker < 2; worker++) {
      ComputationGraph replica = graph.clone();
      GraphState.of(graph).into(replica);
      batches(first + worker * STEPS, STEPS).forEachRemaining(replica::fit);
      replicas.add(GraphState.of(replica));
    }
    float[] parameters = mean(replicas.get(0).parameters(), replicas.get(1).parameters());
    float[] state = mean(replicas.get(0).updaterState(), replicas.get(1).updaterState());
    new GraphState(parameters, state, replicas.get(0).step()).into(graph);
  }

  private static float[] mean(float[] a, float[] b) {
    float[] mean = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      mean[i] = (a[i] + b[i]) / 2;
    }
    return mean;
  }

  private static Iterator<MultiDataSet> batches(int first, int count) {
    return IntStream.range(first, first + count).mapToObj(AveragingMasterIT::batch).iterator();
  }

  private static MultiDataSet batch(int number) {
    return Batches.dataSet(Batches.tokens(DATA, new SequenceOrder(DATA.size(), 3), number * 4L, 4));
  }

  /** One custom layer, a schedule that moves at every step, decay and clipping. */
  private static ComputationGraph graph() {
    AdamW adam =
        new AdamW(new Schedule(Schedule.Kind.COSINE, 0.05, 0.001, 3, 8, 0), 0.9, 0.95, 1e-8, 1);
    return LlamaGraph.create(MODEL, adam, 0.1, 5, "cpu", 1);
  }
}
