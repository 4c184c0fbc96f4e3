package caravan.model.train;

import java.util.Optional;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.graph.ComputationGraph;

/** Training masters for tests. */
final class Masters {
  private Masters() {}

  /** A master that averages on the driver, into {@code graph}. */
  static AveragingMaster stock(
      JavaSparkContext spark, ComputationGraph graph, int workers, int batchSequences) {
    return new AveragingMaster(
        spark,
        graph.getConfiguration(),
        workers,
        batchSequences,
        1,
        new StockExchange(spark, graph, Optional.empty()),
        Moments.AVERAGE,
        false);
  }
}
