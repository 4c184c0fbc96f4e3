package caravan.model.train;

import caravan.model.engine.ResidentTraining.Step;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.deeplearning4j.nn.graph.ComputationGraph;

/**
 * What the workers start a round from, and how what they made of it becomes one state: on the
 * driver ({@link StockExchange}) or in slices on the executors ({@link SlicedExchange}).
 */
interface Exchange {
  /** What the next round starts from; {@link Start#close} is called when its tasks are done. */
  Start start();

  /**
   * Averages the workers' states by their target tokens. Later rounds start from the mean.
   *
   * @param trained one graph per worker that had a batch, in worker order
   * @return what each of them measured, in worker order
   * @throws IllegalStateException when no worker had a batch
   */
  List<WorkerReport> average(JavaRDD<TrainedGraph> trained);

  /** A state on its way to tasks. */
  interface Start extends TrainedModel.Shared {}

  /**
   * A worker's graph at the end of its round, in the memory of its executor.
   *
   * @param configurationJson for {@link WorkerGraphs}, to which whoever has read the graph's state
   *     gives it back
   */
  record TrainedGraph(String configurationJson, ComputationGraph graph, WorkerReport report) {
    void giveBack() {
      WorkerGraphs.giveBack(configurationJson, graph);
    }
  }

  /**
   * What a worker measured in a round.
   *
   * @param worker its number, from 0
   * @param steps that it took
   * @param seconds that they took, reading its batches included
   * @param notice what the user should know; empty for nothing
   */
  record WorkerReport(int worker, List<Step> steps, double seconds, String notice)
      implements Serializable {
    /** Tokens that had a loss: its weight in the mean. */
    long targetTokens() {
      return steps.stream().mapToLong(Step::targetTokens).sum();
    }
  }
}
