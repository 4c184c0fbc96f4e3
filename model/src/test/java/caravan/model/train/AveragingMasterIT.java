package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.graph.ComputationGraph;
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
  private static final PatternSource DATA = new PatternSource(12, 48, 23, false);

  @Test
  void roundsOnTwoExecutorsEqualTheMeansOfReplicasTrainedByHand(@TempDir Path directory)
      throws Exception {
    try (StandaloneCluster cluster = new StandaloneCluster(directory, 2);
        JavaSparkContext spark = new JavaSparkContext(cluster.conf("averaging"))) {
      ComputationGraph expected = graph();
      ComputationGraph trained = graph();
      AveragingMaster master = Masters.stock(spark, trained, 2, 4);
      for (int round = 0; round < ROUNDS; round++) {
        int first = round * 2 * STEPS;
        JavaRDD<MultiDataSet> data =
            spark
                .parallelize(List.of(0, 1), 2)
                .mapPartitionsWithIndex(
                    (worker, i) -> batches(first + worker * STEPS, STEPS), true);
        AveragingMaster.Round report = master.round(data);
        assertThat(report.steps()).isEqualTo(STEPS);
        byHand(expected, first);
        assertThat(GraphState.of(trained).parameters())
            .containsExactly(GraphState.of(expected).parameters());
        assertThat(GraphState.of(trained).updaterState())
            .containsExactly(GraphState.of(expected).updaterState());
        assertThat(GraphState.of(trained).step()).isEqualTo((round + 1) * STEPS);
      }
    }
  }

  private static void byHand(ComputationGraph graph, int first) {
    List<GraphState> replicas = new ArrayList<>();
    for (int worker = 0; worker < 2; worker++) {
      ComputationGraph replica = graph();
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
    LlamaConfig model = new LlamaConfig(16, 24, 1, 4, 2, 4, 23, 12, 10000, 1e-5, true);
    return LlamaGraph.create(model, adam, 0.1, 5, "cpu", 1);
  }
}
