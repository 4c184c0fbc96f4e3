package caravan.model.train;

import caravan.model.checkpoint.CheckpointStore;
import java.io.Serializable;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.spark.api.java.JavaRDD;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/**
 * The model in training, wherever its parameters and moments lie between rounds: all of them with
 * the driver ({@link DriverModel}) or in slices with the executors. The training loop sees no more
 * of them than this.
 */
interface TrainedModel extends AutoCloseable {
  /**
   * Trains one round.
   *
   * @param data makes the round's data, the same each time: one partition per worker, every element
   *     a batch. It is kept while the round may have to be trained again, so it must be small.
   */
  AveragingMaster.Round round(Supplier<JavaRDD<MultiDataSet>> data);

  /**
   * Becomes what a checkpoint holds.
   *
   * @param step the checkpoint's step, with which schedules go on
   * @throws IllegalArgumentException when it has no optimizer state
   */
  void restore(CheckpointStore.Found checkpoint, int step);

  /** The parameters as they are now, for tasks that evaluate them. */
  Shared share();

  /**
   * Measures the parameters as they are now.
   *
   * @param measurement made again from the start where an executor was lost with what it read
   */
  default <T> T measured(Function<Shared, T> measurement) {
    try (Shared shared = share()) {
      return measurement.apply(shared);
    }
  }

  /** The model and its moments as they are now: later rounds do not change them. */
  Snapshot snapshot();

  /** Frees what the model holds, here and on executors. */
  @Override
  void close();

  /** Parameters on their way to tasks; closed on the driver, when the tasks are done. */
  interface Shared extends Serializable, AutoCloseable {
    /** Configuration of the graph that they fit, for {@link WorkerGraphs}. */
    String configurationJson();

    /** Makes a task's graph equal to them. */
    void into(ComputationGraph graph);

    @Override
    void close();
  }

  /** A model that waits to be written. */
  interface Snapshot extends AutoCloseable {
    /**
     * Writes it as a checkpoint.
     *
     * @param state content of the checkpoint's state.json
     */
    void save(CheckpointStore store, int step, Map<String, Object> state);

    @Override
    void close();
  }
}
