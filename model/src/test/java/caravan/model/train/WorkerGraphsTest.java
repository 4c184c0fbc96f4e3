package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.learning.config.Sgd;

class WorkerGraphsTest {
  private static final LlamaConfig MODEL =
      new LlamaConfig(16, 24, 1, 2, 2, 8, 23, 12, 10000, 1e-5, true);

  @Test
  void theNextRoundUsesTheSameGraphAlthoughTheStepCountHasGrown() {
    ComputationGraph master = LlamaGraph.create(MODEL, new Sgd(0.1), 0, 3, "cpu", 1);
    ComputationGraph first = WorkerGraphs.take(master.getConfiguration().toJson());
    WorkerGraphs.giveBack(master.getConfiguration().toJson(), first);
    master.getConfiguration().setIterationCount(20);
    assertThat(WorkerGraphs.take(master.getConfiguration().toJson())).isSameAs(first);
  }
}
