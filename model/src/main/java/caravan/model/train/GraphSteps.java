package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.LlamaOutput;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.ResidentTraining.Step;
import caravan.model.engine.TokenBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.learning.GradientUpdater;

/**
 * A run of steps of one graph: by Deeplearning4j, or in the memory of an engine that keeps all of
 * it there ({@link ResidentTraining}), where the graph's parameters and updater state are stale
 * until {@link #finish}. Both take the same steps and count them in the graph's configuration.
 */
public final class GraphSteps {
  private final ComputationGraph graph;
  private final Optional<FlatUpdater<?>> updater;
  private final Optional<ResidentTraining> resident;
  private final List<Step> steps = new ArrayList<>();

  public GraphSteps(ComputationGraph graph) {
    this.graph = graph;
    GradientUpdater<?> first = graph.getUpdater().getUpdaterBlocks().get(0).getGradientUpdater();
    this.updater = first instanceof FlatUpdater<?> flat ? Optional.of(flat) : Optional.empty();
    updater.ifPresent(u -> u.useThreads(LlamaGraph.output(graph).layerConf().threads()));
    this.resident =
        updater
            .map(FlatUpdater::getConfig)
            .filter(config -> config.turns().steps() == 0)
            .flatMap(config -> open(graph, config));
  }

  /** Turns are taken here, on an engine's gradient: each has a state of its own. */
  private static Optional<ResidentTraining> open(ComputationGraph graph, FlatOptimizer config) {
    LlamaOutput output = LlamaGraph.output(graph);
    LlamaLayer layer = output.layerConf();
    INDArray state = graph.getUpdater().getStateViewArray();
    return output
        .engine()
        .train(
            output.parameters(),
            state == null ? null : new FloatPointer(state.data().addressPointer()),
            new ResidentTraining.Recipe(
                config.onDevice(),
                layer.decay(),
                config.turns().at(0),
                layer.objective(),
                layer.passSequences()));
  }

  /** One update on a batch. */
  public void take(MultiDataSet batch) {
    INDArray targets = batch.getLabels(0);
    if (resident.isEmpty()) {
      graph.fit(batch);
      double norm = updater.map(FlatUpdater::gradientNorm).orElse(Double.NaN);
      steps.add(
          new Step(
              graph.score(),
              LlamaGraph.output(graph).crossEntropy(),
              norm,
              LlamaOutput.tokens(batch.getFeatures(0), targets).targetCount()));
      return;
    }
    int iteration = graph.getConfiguration().getIterationCount();
    double rate =
        updater
            .orElseThrow()
            .getConfig()
            .getLearningRate(iteration, graph.getConfiguration().getEpochCount());
    int shaped = updater.orElseThrow().getConfig().stepsOfState(iteration);
    TokenBatch tokens = LlamaOutput.tokens(batch.getFeatures(0), targets);
    resident.get().step(tokens, rate, iteration, shaped);
    graph.getConfiguration().setIterationCount(iteration + 1);
  }

  /** Makes the graph what it has become and returns what each step measured. */
  public List<Step> finish() {
    if (resident.isPresent()) {
      try (ResidentTraining training = resident.get()) {
        steps.addAll(training.steps());
        training.store();
      }
    }
    return steps;
  }
}
