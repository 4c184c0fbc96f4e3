package caravan.model.train;

import caravan.model.engine.ResidentTraining.Step;
import caravan.model.train.Exchange.TrainedGraph;
import caravan.model.train.Exchange.WorkerReport;
import java.util.List;
import java.util.Optional;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * dl4j-spark's parameter averaging, one round per call: the data set holds one partition per
 * worker, each worker takes one step per batch of its partition, and parameters and updater state
 * become the workers' means.
 *
 * <p>It differs from the stock master where that one loses something: means are weighted by target
 * tokens; every batch of a partition is used and the step count advances by the steps really taken;
 * workers start from the master's step count, so schedules and bias correction go on across rounds;
 * results are summed in worker order, so repeats are bit-identical; broadcasts are destroyed after
 * the round; the training data is neither counted nor cached; and the state lies where the {@link
 * Exchange} keeps it, which need not be the driver.
 */
public final class AveragingMaster extends ParameterAveragingTrainingMaster {
  private final transient SparkComputationGraph graph;
  private static final Logger log = LoggerFactory.getLogger(AveragingMaster.class);

  private final transient Exchange exchange;
  private final Moments moments;
  private final transient Optional<LostWorkers> lostWorkers;
  private transient Exchange.Start start;
  private transient Round lastRound;

  /**
   * What one round did.
   *
   * @param losses mean loss of each step, in nats per target token, weighted over the workers
   * @param crossEntropies the part of them that is plain cross entropy
   * @param gradientNorms largest gradient norm of each step over the workers; NaN for updaters that
   *     do not measure it
   * @param targetTokens tokens that had a loss, over all workers and steps
   * @param workers what each worker that had a batch did, in their order
   */
  public record Round(
      double[] losses,
      double[] crossEntropies,
      double[] gradientNorms,
      long targetTokens,
      List<Part> workers) {
    /** Steps that the longest worker took. */
    public int steps() {
      return losses.length;
    }
  }

  /**
   * One worker's part of a round.
   *
   * @param losses of its steps, in nats per target token
   * @param targetTokens of its steps
   * @param seconds that its steps took, reading its batches included
   */
  public record Part(double[] losses, long targetTokens, double seconds) {}

  /**
   * @param configuration of the graphs that the workers train
   * @param workers partitions per round
   * @param batchSequences sequences per step and worker
   * @param seed for the base class's random numbers, which this class leaves unused
   * @param moments what becomes of the workers' optimizer state
   * @param goOn whether a round ends without the workers whose executor was lost
   */
  AveragingMaster(
      JavaSparkContext spark,
      ComputationGraphConfiguration configuration,
      int workers,
      int batchSequences,
      long seed,
      Exchange exchange,
      Moments moments,
      boolean goOn) {
    super(
        new Builder(workers, batchSequences)
            .batchSizePerWorker(batchSequences)
            .averagingFrequency(1)
            .workerPrefetchNumBatches(0)
            .saveUpdater(true)
            .repartionData(Repartition.Never)
            .rddTrainingApproach(RDDTrainingApproach.Direct)
            .rngSeed(seed));
    this.exchange = exchange;
    this.moments = moments;
    lostWorkers = goOn ? Optional.of(new LostWorkers(spark.sc())) : Optional.empty();
    graph = new SparkComputationGraph(spark, new Unbuilt(configuration), this);
  }

  /**
   * Trains one round.
   *
   * @param data one partition per worker, every element a batch of exactly batchSequences sequences
   * @throws IllegalStateException when no worker got a batch
   */
  public Round round(JavaRDD<MultiDataSet> data) {
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
    start = exchange.start();
    try {
      doIteration(graph, lostWorkers.map(lost -> lost.skipping(data)).orElse(data), 1, 1);
      lostWorkers.ifPresent(lost -> lost.check(lastRound.workers().size(), numWorkers));
    } finally {
      start.close();
      start = null;
    }
  }

  @Override
  public ParameterAveragingTrainingWorker getWorkerInstance(SparkComputationGraph graph) {
    return new Worker(
        start,
        moments,
        new WorkerConfiguration(true, rddDataSetNumExamples, batchSizePerWorker, 0, 0, false));
  }

  @Override
  protected void processResults(
      SparkDl4jMultiLayer unused,
      SparkComputationGraph graph,
      JavaRDD<ParameterAveragingTrainingResult> results,
      int split,
      int splits) {
    List<WorkerReport> reports = exchange.average(results.map(result -> ((Result) result).trained));
    reports.stream().map(WorkerReport::notice).filter(n -> !n.isEmpty()).forEach(log::warn);
    lastRound = report(reports);
  }

  private static Round report(List<WorkerReport> workers) {
    int steps = workers.stream().mapToInt(w -> w.steps().size()).max().orElseThrow();
    double[] losses = new double[steps];
    double[] entropies = new double[steps];
    double[] norms = new double[steps];
    for (int step = 0; step < steps; step++) {
      double loss = 0;
      double entropy = 0;
      long tokens = 0;
      for (WorkerReport worker : workers) {
        if (step < worker.steps().size()) {
          Step s = worker.steps().get(step);
          loss += s.loss() * s.targetTokens();
          entropy += s.crossEntropy() * s.targetTokens();
          tokens += s.targetTokens();
          norms[step] =
              Double.isNaN(s.gradientNorm()) ? Double.NaN : Math.max(norms[step], s.gradientNorm());
        }
      }
      losses[step] = loss / Math.max(1, tokens);
      entropies[step] = entropy / Math.max(1, tokens);
    }
    return new Round(
        losses,
        entropies,
        norms,
        workers.stream().mapToLong(WorkerReport::targetTokens).sum(),
        workers.stream().map(AveragingMaster::part).toList());
  }

  private static Part part(WorkerReport worker) {
    return new Part(
        worker.steps().stream().mapToDouble(Step::loss).toArray(),
        worker.targetTokens(),
        worker.seconds());
  }

  /** All that the driver needs of a graph whose state lies elsewhere: its configuration. */
  private static final class Unbuilt extends ComputationGraph {
    Unbuilt(ComputationGraphConfiguration configuration) {
      super(configuration);
    }

    @Override
    public void init() {
      // Allocates nothing: no step is taken here.
    }

    @Override
    public void incrementEpochCount() {
      // A round is no epoch.
    }
  }

  /** Carries a {@link TrainedGraph} through dl4j-spark, within one task. */
  private static final class Result extends ParameterAveragingTrainingResult {
    private final transient TrainedGraph trained;

    Result(TrainedGraph trained) {
      super(null, null, 0, null, null, null);
      this.trained = trained;
    }
  }

  /** Runs on an executor, one instance per task. */
  private static final class Worker extends ParameterAveragingTrainingWorker {
    private static final long serialVersionUID = 1;
    private final Exchange.Start start;
    private final Moments moments;
    private transient GraphSteps training;
    private transient String notice;
    private transient long startNanos;

    Worker(Exchange.Start start, Moments moments, WorkerConfiguration configuration) {
      super(null, true, configuration, null, null, null);
      this.start = start;
      this.moments = moments;
    }

    @Override
    public ComputationGraph getInitialModelGraph() {
      ComputationGraph graph = WorkerGraphs.take(start.configurationJson());
      start.into(graph);
      notice = moments.begin(graph, TaskContext.getPartitionId());
      training = null;
      startNanos = System.nanoTime();
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
      double seconds = (System.nanoTime() - startNanos) / 1e9;
      int worker = TaskContext.getPartitionId();
      moments.end(graph, worker);
      WorkerReport report = new WorkerReport(worker, steps, seconds, notice);
      return new Result(new TrainedGraph(start.configurationJson(), graph, report));
    }
  }
}
