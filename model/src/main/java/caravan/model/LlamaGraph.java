package caravan.model;

import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.config.IUpdater;

/** Llamas as Deeplearning4j graphs of one layer: input "ids", layer "llama". */
public final class LlamaGraph {
  public static final String INPUT = "ids";
  public static final String LAYER = "llama";

  private LlamaGraph() {}

  /** A graph with fresh weights and no weight decay. */
  public static ComputationGraph create(
      LlamaConfig config, IUpdater updater, long seed, String engine, int threads) {
    return create(config, updater, 0, seed, engine, threads);
  }

  /**
   * A graph with fresh weights, ready to fit.
   *
   * @param updater one updater for all parameters
   * @param weightDecay decoupled decay of matrices, times the learning rate
   * @param seed of the weights
   * @param engine a name of {@link caravan.model.engine.Engines}
   * @param threads threads of that engine
   */
  public static ComputationGraph create(
      LlamaConfig config,
      IUpdater updater,
      double weightDecay,
      long seed,
      String engine,
      int threads) {
    ComputationGraph graph =
        new ComputationGraph(configuration(config, updater, weightDecay, seed, engine, threads));
    graph.init();
    return graph;
  }

  /** A graph of this layer with fresh weights, ready to fit. */
  public static ComputationGraph create(LlamaLayer layer, IUpdater updater, long seed) {
    ComputationGraph graph = new ComputationGraph(configuration(layer, updater, seed));
    graph.init();
    return graph;
  }

  static ComputationGraphConfiguration configuration(
      LlamaConfig config, IUpdater updater, long seed, String engine, int threads) {
    return configuration(config, updater, 0, seed, engine, threads);
  }

  /** What Spark's workers build their replicas from. */
  public static ComputationGraphConfiguration configuration(
      LlamaConfig config,
      IUpdater updater,
      double weightDecay,
      long seed,
      String engine,
      int threads) {
    return configuration(new LlamaLayer(config, engine, threads, weightDecay), updater, seed);
  }

  /** What Spark's workers build their replicas of this layer from. */
  public static ComputationGraphConfiguration configuration(
      LlamaLayer layer, IUpdater updater, long seed) {
    return new NeuralNetConfiguration.Builder()
        .seed(seed)
        .dataType(DataType.FLOAT)
        .updater(updater)
        // The loss is a mean over target tokens: without this the gradient is divided again.
        .miniBatch(false)
        .graphBuilder()
        .addInputs(INPUT)
        .addLayer(LAYER, layer, INPUT)
        .setOutputs(LAYER)
        .validateOutputLayerConfig(false)
        .build();
  }

  /** Makes a graph as if it was new: the weights that its seed gives, an updater state of zeros. */
  public static void reset(ComputationGraph graph) {
    NeuralNetConfiguration conf = graph.getLayer(LAYER).conf();
    conf.getLayer().initializer().init(conf, graph.params(), true);
    INDArray state = graph.getUpdater().getStateViewArray();
    if (state != null) {
      state.assign(0);
    }
    graph.getConfiguration().setIterationCount(0);
  }

  /**
   * The running layer of a graph made here: its engine and its parameters.
   *
   * @throws IllegalArgumentException when the graph has no such layer
   */
  public static LlamaOutput output(ComputationGraph graph) {
    if (graph.getLayer(LAYER) instanceof LlamaOutput output) {
      return output;
    }
    throw new IllegalArgumentException(
        "graph: got no LlamaLayer named " + LAYER + ", wanted one made by LlamaGraph");
  }
}
