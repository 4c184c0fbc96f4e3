package caravan.model.train;

import caravan.model.checkpoint.AdamMoments;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/** A model whose parameters and moments lie with the driver, in one graph. */
final class DriverModel implements TrainedModel {
  private final Trainer.Setup setup;
  private final ComputationGraph graph;
  private final StockExchange exchange;
  private final AveragingMaster master;

  /**
   * @param initial weights to start from
   * @throws IllegalArgumentException when Spark's limits are too small for the model
   */
  DriverModel(JavaSparkContext spark, Trainer.Setup setup, ComputationGraph initial) {
    this.setup = setup;
    TrainConfig config = setup.config();
    checkLimits(spark, config.workers(), initial.numParams());
    graph = initial;
    exchange = new StockExchange(spark, graph);
    master =
        new AveragingMaster(
            spark,
            graph.getConfiguration(),
            config.workers(),
            config.workerSequences(),
            setup.seed(),
            exchange);
  }

  private static void checkLimits(JavaSparkContext spark, int workers, long parameters) {
    long limit = spark.getConf().getSizeAsBytes("spark.driver.maxResultSize", "1g");
    long needed = workers * parameters * 3 * Float.BYTES;
    if (limit != 0 && limit < needed) {
      throw new IllegalArgumentException(
          "spark.driver.maxResultSize: got "
              + limit
              + " bytes, "
              + workers
              + " workers with "
              + parameters
              + " parameters and two moments each send "
              + needed
              + "; set spark.driver.maxResultSize="
              + 2 * needed);
    }
  }

  @Override
  public AveragingMaster.Round round(JavaRDD<MultiDataSet> data) {
    return master.round(data);
  }

  @Override
  public void restore(CheckpointStore.Found found, int step) {
    try (Checkpoint checkpoint = found.checkpoint()) {
      AdamMoments moments =
          checkpoint
              .moments()
              .orElseThrow(
                  () -> new IllegalArgumentException(found.path() + ": no optimizer state"));
      long length = graph.numParams();
      copy(checkpoint.parameters(), pointer(graph.params()), length);
      FloatPointer view = pointer(graph.getUpdater().getStateViewArray());
      copy(moments.first(), view, length);
      copy(moments.second(), view.getPointer(length), length);
    }
    graph.getConfiguration().setIterationCount(step);
  }

  @Override
  public Shared share() {
    return exchange.start();
  }

  @Override
  public Snapshot snapshot() {
    return new Copy(setup, graph);
  }

  @Override
  public void close() {
    WorkerGraphs.release();
  }

  /** A copy in memory off the heap. */
  private static final class Copy implements Snapshot {
    private final Trainer.Setup setup;
    private final FloatPointer parameters;
    private final FloatPointer first;
    private final FloatPointer second;

    Copy(Trainer.Setup setup, ComputationGraph net) {
      this.setup = setup;
      long length = net.numParams();
      FloatPointer moments = pointer(net.getUpdater().getStateViewArray());
      parameters = copyOf(pointer(net.params()), length);
      first = copyOf(moments, length);
      second = copyOf(moments.getPointer(length), length);
    }

    @Override
    public void save(CheckpointStore store, int step, Map<String, Object> state) {
      store.save(
          step,
          new Checkpoint(
              setup.model(),
              setup.specialTokens(),
              parameters,
              Optional.of(new AdamMoments(first, second)),
              Optional.empty(),
              state,
              setup.tokenizerFiles()));
    }

    @Override
    public void close() {
      parameters.close();
      first.close();
      second.close();
    }
  }

  private static FloatPointer copyOf(FloatPointer from, long floats) {
    FloatPointer copy = new FloatPointer(floats);
    copy(from, copy, floats);
    return copy;
  }

  private static FloatPointer pointer(INDArray array) {
    return new FloatPointer(array.data().addressPointer());
  }

  private static void copy(FloatPointer from, FloatPointer to, long floats) {
    Pointer.memcpy(to, from, floats * Float.BYTES);
  }
}
