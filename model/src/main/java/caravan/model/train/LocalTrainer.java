package caravan.model.train;

import java.util.Iterator;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/**
 * Training without Spark, in one loop: the reference that averaging with one worker equals bit for
 * bit.
 */
final class LocalTrainer {
  private LocalTrainer() {}

  /**
   * @param firstPosition where in the order to begin, in sequences
   * @param batchSequences sequences per step
   */
  static void train(
      ComputationGraph graph,
      SequenceSource source,
      ReadingOrder order,
      long firstPosition,
      int batchSequences,
      int steps) {
    Iterator<MultiDataSet> batches =
        Batches.iterator(source, order, firstPosition, batchSequences, steps);
    GraphSteps training = new GraphSteps(graph);
    while (batches.hasNext()) {
      training.take(batches.next());
    }
    training.finish();
  }
}
