package caravan.model.train;

import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.OptimizerState;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
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
    checkLimits(spark, config.workers(), initial.numParams(), GraphMemory.updaterState(initial));
    graph = initial;
    exchange = new StockExchange(spark, graph, OuterOptimizer.of(config.outer()));
    master =
        new AveragingMaster(
            spark,
            graph.getConfiguration(),
            config.workers(),
            config.workerSequences(),
            setup.seed(),
            exchange,
            Moments.AVERAGE,
            config.onWorkerLoss().equals("continue"));
  }

  private static void checkLimits(
      JavaSparkContext spark, int workers, long parameters, long state) {
    long limit = spark.getConf().getSizeAsBytes("spark.driver.maxResultSize", "1g");
    long needed = workers * (parameters + state) * Float.BYTES;
    if (limit != 0 && limit < needed) {
      throw new IllegalArgumentException(
          "spark.driver.maxResultSize: got "
              + limit
              + " bytes, "
              + workers
              + " workers with "
              + parameters
              + " parameters and "
              + state
              + " floats of optimizer state each send "
              + needed
              + "; set spark.driver.maxResultSize="
              + 2 * needed
              + " or train.exchange=sliced");
    }
    // What was sent, what comes back, the mean, and their serialized forms in between.
    long heap = (workers + 3) * (parameters + state) * Float.BYTES;
    long given = Runtime.getRuntime().maxMemory();
    if (given < heap) {
      throw new IllegalArgumentException(
          "spark.driver.memory: got "
              + (given >> 20)
              + " MiB, averaging "
              + parameters
              + " parameters of "
              + workers
              + " workers on the driver takes about "
              + (heap >> 20)
              + "; set spark.driver.memory="
              + (heap + heap / 4 >> 20)
              + "m or train.exchange=sliced");
    }
  }

  @Override
  public AveragingMaster.Round round(Supplier<JavaRDD<MultiDataSet>> data) {
    return master.round(data.get());
  }

  @Override
  public void restore(CheckpointStore.Found found, int step) {
    try (Checkpoint checkpoint = found.checkpoint()) {
      OptimizerState moments =
          checkpoint
              .moments()
              .orElseThrow(
                  () -> new IllegalArgumentException(found.path() + ": no optimizer state"));
      copy(checkpoint.parameters(), pointer(graph.params()), graph.numParams());
      long state = GraphMemory.updaterState(graph);
      long held = moments.vectors().size() * moments.length();
      if (state != held) {
        throw new IllegalArgumentException(
            found.path()
                + ": got "
                + held
                + " floats of optimizer state, wanted "
                + state
                + "; resume with its train.optimizer.kind, train.freeze and train.block-steps, or"
                + " train from it as checkpoint=");
      }
      for (int i = 0; i < moments.vectors().size(); i++) {
        FloatPointer view = pointer(graph.getUpdater().getStateViewArray());
        long length = moments.length();
        copy(moments.vectors().get(i), view.getPointer(i * length), length);
      }
      checkpoint.outerMomentum().ifPresent(saved -> saved.get(exchange.velocity()));
    }
    graph.getConfiguration().setIterationCount(step);
  }

  @Override
  public Shared share() {
    return exchange.start();
  }

  @Override
  public Snapshot snapshot() {
    return new Copy(setup, graph, exchange.velocity());
  }

  @Override
  public void close() {
    WorkerGraphs.release();
  }

  /** A copy in memory off the heap. */
  private static final class Copy implements Snapshot {
    private final Trainer.Setup setup;
    private final FloatPointer parameters;
    private final OptimizerState moments;
    private final Optional<FloatPointer> velocity;

    Copy(Trainer.Setup setup, ComputationGraph net, float[] outer) {
      this.setup = setup;
      parameters = copyOf(pointer(net.params()), net.numParams());
      int vectors = setup.config().updater(setup.model()).stateVectors();
      long length = GraphMemory.updaterState(net) / Math.max(1, vectors);
      List<FloatPointer> copies = new ArrayList<>();
      for (int i = 0; i < vectors; i++) {
        FloatPointer view = pointer(net.getUpdater().getStateViewArray());
        copies.add(copyOf(view.getPointer(i * length), length));
      }
      moments = new OptimizerState(copies, length);
      velocity = outer.length == 0 ? Optional.empty() : Optional.of(new FloatPointer(outer));
    }

    @Override
    public void save(CheckpointStore store, int step, Map<String, Object> state) {
      store.save(
          step,
          new Checkpoint(
              setup.model(),
              setup.specialTokens(),
              parameters,
              Optional.of(moments),
              velocity,
              state,
              setup.tokenizerFiles(),
              setup.adaptation()));
    }

    @Override
    public void close() {
      parameters.close();
      moments.vectors().forEach(FloatPointer::close);
      velocity.ifPresent(FloatPointer::close);
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
