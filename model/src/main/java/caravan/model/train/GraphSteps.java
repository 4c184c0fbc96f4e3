package caravan.model.train;

import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.LlamaOutput;
import caravan.model.WeightDecayRates;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.ResidentTraining.Step;
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
        first instanceof AdamWUpdater adamW && residentOffers(graph, adamW.getConfig())
            ? open(graph, adamW.getConfig())
            : Optional.empty();
  }

  /** What an engine's own training does not know is done here, on its gradient. */
  private static boolean residentOffers(ComputationGraph graph, AdamW config) {
    LlamaLayer layer = LlamaGraph.output(graph).layerConf();
    return config.turns().equals(Turns.ALL)
        && layer.passSequences() == 0
        && !layer.objective().penalizes()
        && !layer.objective().drops()
        && layer.decay().equals(WeightDecayRates.ofMatrices(layer.decay().matrices()));
  }

  private static Optional<ResidentTraining> open(ComputationGraph graph, AdamW config) {
    LlamaOutput output = LlamaGraph.output(graph);
    LlamaLayer layer = output.layerConf();
    INDArray state = graph.getUpdater().getStateViewArray();
    FloatPointer moments = new FloatPointer(state.data().addressPointer());
    return output
        .engine()
        .train(
            output.parameters(),
            moments,
            moments.getPointer(graph.numParams()),
            new ResidentTraining.Optimizer(
                config.beta1(),
                config.beta2(),
                config.epsilon(),
                config.clipNorm(),
                layer.decay().matrices()));
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
    resident.get().step(LlamaOutput.tokens(batch.getFeatures(0), targets), rate, shaped);
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
