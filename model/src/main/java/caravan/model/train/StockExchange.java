package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.ParameterRanges;
import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;

/**
 * The exchange as dl4j-spark has it: the driver's graph holds the state, broadcasts it, collects
 * every worker's and sets itself to their mean.
 */
final class StockExchange implements Exchange {
  private final JavaSparkContext spark;
  private final ComputationGraph graph;
  private final Optional<OuterOptimizer> outer;
  private final float[] velocity;

  /**
   * @param graph what the first round starts from; each round changes it
   * @param outer makes the next parameters of the mean, where there is one
   */
  StockExchange(JavaSparkContext spark, ComputationGraph graph, Optional<OuterOptimizer> outer) {
    this.spark = spark;
    this.graph = graph;
    this.outer = outer;
    velocity = new float[outer.isPresent() ? Math.toIntExact(graph.numParams()) : 0];
  }

  /** The outer optimizer's velocity, one float per parameter; empty where there is none. */
  float[] velocity() {
    return velocity;
  }

  @Override
  public Start start() {
    return new Sent(graph.getConfiguration().toJson(), spark.broadcast(GraphState.of(graph)));
  }

  @Override
  public List<WorkerReport> average(JavaRDD<TrainedGraph> trained) {
    List<Trained> workers = trained.map(StockExchange::collected).collect();
    if (workers.isEmpty()) {
      throw new IllegalStateException("training round: no worker got a batch");
    }
    GraphState mean = mean(workers);
    outer.ifPresent(
        step -> step.step(GraphState.of(graph).parameters(), mean.parameters(), velocity));
    keepFrozen(mean.parameters());
    mean.into(graph);
    return workers.stream().map(Trained::report).toList();
  }

  /** The mean of equal floats may round to another one; what is frozen keeps every bit. */
  private void keepFrozen(float[] parameters) {
    if (LlamaGraph.output(graph).layerConf().getIUpdater() instanceof FlatOptimizer optimizer) {
      ParameterRanges frozen = optimizer.turns().frozen(parameters.length);
      FloatPointer now = new FloatPointer(graph.params().data().addressPointer());
      for (int range = 0; range < frozen.count(); range++) {
        int from = (int) frozen.from(range);
        now.getPointer((long) from).get(parameters, from, (int) frozen.to(range) - from);
      }
    }
  }

  private static Trained collected(TrainedGraph trained) {
    GraphState state = GraphState.of(trained.graph());
    trained.giveBack();
    return new Trained(state, trained.report());
  }

  private static GraphState mean(List<Trained> workers) {
    MeanWeights weights =
        MeanWeights.of(workers.stream().map(w -> w.report().targetTokens()).toList());
    float[] parameters = new float[workers.get(0).state().parameters().length];
    float[] updaterState = new float[workers.get(0).state().updaterState().length];
    int step = 0;
    for (int i = 0; i < workers.size(); i++) {
      GraphState state = workers.get(i).state();
      add(parameters, state.parameters(), weights.weights()[i]);
      add(updaterState, state.updaterState(), weights.weights()[i]);
      step = Math.max(step, state.step());
    }
    divide(parameters, weights.divisor());
    divide(updaterState, weights.divisor());
    return new GraphState(parameters, updaterState, step);
  }

  private static void add(float[] sum, float[] values, float weight) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += weight * values[i];
    }
  }

  private static void divide(float[] sum, int divisor) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] /= divisor;
    }
  }

  private record Sent(String configurationJson, Broadcast<GraphState> state) implements Start {
    @Override
    public void into(ComputationGraph graph) {
      state.value().into(graph);
    }

    @Override
    public void close() {
      state.destroy();
    }
  }

  private record Trained(GraphState state, WorkerReport report) implements Serializable {}
}
