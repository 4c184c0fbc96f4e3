package caravan.model.train;

import caravan.model.engine.ResidentTraining.Step;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.broadcast.Broadcast;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.spark.api.RDDTrainingApproach;
import org.deeplearning4j.spark.api.Repartition;
import org.deeplearning4j.spark.api.WorkerConfiguration;
import org.deeplearning4j.spark.impl.graph.SparkComputationGraph;
import org.deeplearning4j.spark.impl.multilayer.SparkDl4jMultiLayer;
import org.deeplearning4j.spark.impl.paramavg.ParameterAveragingTrainingMaster;
import org.deeplearning4j.spark.impl.paramavg.ParameterAveragingTrainingResult;
import org.deeplearning4j.spark.impl.paramavg.ParameterAveragingTrainingWorker;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/**
 * dl4j-spark's parameter averaging, one round per call: the data set holds one partition per
 * worker, each worker takes one step per batch of its partition, and parameters and updater state
 * become the workers' means.
 *
 * <p>It differs from the stock master where that one loses something: means are weighted by target
 * tokens; every batch of a partition is used and the step count advances by the steps really taken;
 * workers start from the master's step count, so schedules and bias correction go on across rounds;
 * results are summed in worker order, so repeats are bit-identical; broadcasts are destroyed after
 * the round; the training data is neither counted nor cached.
 */
public final class AveragingMaster extends ParameterAveragingTrainingMaster {
  private transient Broadcast<Start> start;
  private transient Round lastRound;

  /**
   * What one round did.
   *
   * @param losses mean loss of each step, in nats per target token, weighted over the workers
   * @param gradientNorms largest gradient norm of each step over the workers; NaN for updaters that
   *     do not measure it
   * @param targetTokens tokens that had a loss, over all workers and steps
   */
  public record Round(double[] losses, double[] gradientNorms, long targetTokens) {
    /** Steps that the longest worker took. */
    public int steps() {
      return losses.length;
    }
  }

  /**
   * @param workers partitions per round
   * @param batchSequences sequences per step and worker
   * @param seed for the base class's random numbers, which this class leaves unused
   */
  public AveragingMaster(int workers, int batchSequences, long seed) {
    super(
        new Builder(workers, batchSequences)
            .batchSizePerWorker(batchSequences)
            .averagingFrequency(1)
            .workerPrefetchNumBatches(0)
            .saveUpdater(true)
            .repartionData(Repartition.Never)
            .rddTrainingApproach(RDDTrainingApproach.Direct)
            .rngSeed(seed));
  }

  /**
   * Trains one round.
   *
   * @param data one partition per worker, every element a batch of exactly batchSequences sequences
   * @throws IllegalStateException when no worker got a batch
   */
  public Round round(SparkComputationGraph graph, JavaRDD<MultiDataSet> data) {
    lastRound = null;
    graph.fitMultiDataSet(data);
    return lastRound;
  }

  @Override
  protected void executeTrainingDirect(SparkComputationGraph graph, JavaRDD<MultiDataSet> data) {
    if (data.getNumPartitions() != numWorkers) {
      throw new IllegalArgumentException(
          "training round: got "
              + data.getNumPartitions()
              + " partitions, wanted one per worker = "
              + numWorkers);
    }
    try {
      doIteration(graph, data, 1, 1);
    } finally {
      if (start != null) {
        start.destroy();
        start = null;
      }
    }
  }

  @Override
  public ParameterAveragingTrainingWorker getWorkerInstance(SparkComputationGraph graph) {
    ComputationGraph net = graph.getNetwork();
    start =
        graph
            .getSparkContext()
            .broadcast(new Start(net.getConfiguration().toJson(), GraphState.of(net)));
    return new Worker(
        start,
        new WorkerConfiguration(true, rddDataSetNumExamples, batchSizePerWorker, 0, 0, false));
  }

  @Override
  protected void processResults(
      SparkDl4jMultiLayer unused,
      SparkComputationGraph graph,
      JavaRDD<ParameterAveragingTrainingResult> results,
      int split,
      int splits) {
    List<Trained> workers = results.map(result -> ((Result) result).trained).collect();
    if (workers.isEmpty()) {
      throw new IllegalStateException("training round: no worker got a batch");
    }
    average(workers).into(graph.getNetwork());
    lastRound = report(workers);
    double score = 0;
    for (double loss : lastRound.losses()) {
      score += loss / lastRound.steps();
    }
    graph.setScore(score);
  }

  /**
   * Σ wᵢ·xᵢ / Σ wᵢ with wᵢ worker i's target tokens; equal weights give the plain sum divided by
   * the count, as stock does.
   */
  private static GraphState average(List<Trained> workers) {
    long total = workers.stream().mapToLong(Trained::targetTokens).sum();
    boolean equal =
        workers.stream().allMatch(w -> w.targetTokens() == workers.get(0).targetTokens());
    int steps = 0;
    float[] parameters = new float[workers.get(0).state.parameters().length];
    float[] updaterState = new float[workers.get(0).state.updaterState().length];
    for (Trained worker : workers) {
      float weight = equal ? 1f : (float) ((double) worker.targetTokens() / total);
      add(parameters, worker.state.parameters(), weight);
      add(updaterState, worker.state.updaterState(), weight);
      steps = Math.max(steps, worker.state.step());
    }
    if (equal) {
      divide(parameters, workers.size());
      divide(updaterState, workers.size());
    }
    return new GraphState(parameters, updaterState, steps);
  }

  private static void add(float[] sum, float[] values, float weight) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += weight * values[i];
    }
  }

  private static void divide(float[] sum, int count) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] /= count;
    }
  }

  private static Round report(List<Trained> workers) {
    int steps = workers.stream().mapToInt(w -> w.steps.size()).max().orElseThrow();
    double[] losses = new double[steps];
    double[] norms = new double[steps];
    for (int step = 0; step < steps; step++) {
      double loss = 0;
      long tokens = 0;
      for (Trained worker : workers) {
        if (step < worker.steps.size()) {
          Step s = worker.steps.get(step);
          loss += s.loss() * s.targetTokens();
          tokens += s.targetTokens();
          norms[step] =
              Double.isNaN(s.gradientNorm()) ? Double.NaN : Math.max(norms[step], s.gradientNorm());
        }
      }
      losses[step] = loss / Math.max(1, tokens);
    }
    return new Round(losses, norms, workers.stream().mapToLong(Trained::targetTokens).sum());
  }

  /** What a round starts from. */
  private record Start(String configurationJson, GraphState state) implements Serializable {}

  /** What a worker sends back. */
  private record Trained(GraphState state, List<Step> steps) implements Serializable {
    long targetTokens() {
      return steps.stream().mapToLong(Step::targetTokens).sum();
    }
  }

  /** Carries {@link Trained} through dl4j-spark, whose own result is not serializable. */
  private static final class Result extends ParameterAveragingTrainingResult {
    private final Trained trained;

    Result(Trained trained) {
      super(null, null, 0, null, null, null);
      this.trained = trained;
    }
  }

  /** Runs on an executor, one instance per task. */
  private static final class Worker extends ParameterAveragingTrainingWorker {
    private static final long serialVersionUID = 1;
    private final Broadcast<Start> start;
    private transient GraphSteps training;

    Worker(Broadcast<Start> start, WorkerConfiguration configuration) {
      super(null, true, configuration, null, null, null);
      this.start = start;
    }

    @Override
    public ComputationGraph getInitialModelGraph() {
      ComputationGraph graph = WorkerGraphs.take(start.value().configurationJson());
      start.value().state().into(graph);
      training = null;
      return graph;
    }

    @Override
    public ParameterAveragingTrainingResult processMinibatch(
        MultiDataSet batch, ComputationGraph graph, boolean last) {
      if (training == null) {
        training = new GraphSteps(graph);
      }
      training.take(batch);
      return last ? getFinalResult(graph) : null;
    }

    @Override
    public ParameterAveragingTrainingResult getFinalResult(ComputationGraph graph) {
      List<Step> steps = training.finish();
      Result result = new Result(new Trained(GraphState.of(graph), steps));
      WorkerGraphs.giveBack(start.value().configurationJson(), graph);
      return result;
    }
  }
}
