package caravan.model.train;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.checkpoint.AdamMoments;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.SpecialTokens;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.spark.impl.graph.SparkComputationGraph;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/**
 * Trains a Llama on Spark: rounds of parameter averaging, with validation, metrics and checkpoints
 * between them. A run that was killed goes on from its newest checkpoint.
 */
public final class Trainer {

  /**
   * Everything a training needs.
   *
   * @param model shape of the model
   * @param config how to train
   * @param seed of initial weights and of the order of sequences
   * @param data training sequences
   * @param validation held-out sequences, where there are any
   * @param base model to start from instead of random weights; its shape is {@code model}
   * @param resume go on from the newest checkpoint in {@code output} if there is one; else the
   *     checkpoints there are deleted
   * @param output directory, local or s3a
   * @param fingerprint identifies the training data; a run resumes only on the same data
   * @param specialTokens for the checkpoints
   * @param tokenizerFiles for the checkpoints
   */
  public record Setup(
      LlamaConfig model,
      TrainConfig config,
      long seed,
      SequenceSource data,
      Optional<SequenceSource> validation,
      Optional<FloatPointer> base,
      boolean resume,
      String output,
      String fingerprint,
      SpecialTokens specialTokens,
      Map<String, byte[]> tokenizerFiles) {}

  /**
   * How a training ended.
   *
   * @param finished false when it was asked to stop before its last step
   * @param step steps done
   * @param checkpoint path of the newest checkpoint
   * @param validationLoss last measured, in nats per target token; NaN without validation data
   */
  public record Outcome(boolean finished, int step, String checkpoint, double validationLoss) {}

  private final JavaSparkContext spark;
  private final Setup setup;
  private final TrainConfig config;
  private final SequenceOrder order;
  private final CheckpointStore store;
  private final Optional<Validator> validator;
  private final MetricsLog metrics;
  private final SparkComputationGraph graph;
  private final AveragingMaster master;
  private int step;
  private int round;
  private long tokens;
  private double validationLoss = Double.NaN;
  private double bestLoss = Double.POSITIVE_INFINITY;

  /**
   * Prepares the model: from the newest checkpoint, the base, or random weights.
   *
   * @throws IllegalArgumentException when Spark's limits are too small for the model, or the
   *     checkpoint is of another training
   */
  public Trainer(JavaSparkContext spark, Setup setup) {
    this.spark = spark;
    this.setup = setup;
    config = setup.config();
    order = new SequenceOrder(setup.data().size(), setup.seed());
    store = new CheckpointStore(setup.output(), spark.hadoopConfiguration());
    validator = setup.validation().map(source -> new Validator(spark, config, source));
    ComputationGraph initial =
        LlamaGraph.create(
            setup.model(),
            config.adamW(),
            config.weightDecay(),
            setup.seed(),
            config.engineName(),
            config.threads());
    checkLimits(initial.numParams());
    setup.base().ifPresent(base -> copy(base, pointer(initial.params()), initial.numParams()));
    if (setup.resume()) {
      store.latest().ifPresent(found -> restore(found, initial));
    } else {
      store.clear();
    }
    master = new AveragingMaster(config.workers(), config.batchSequences(), setup.seed());
    graph = new SparkComputationGraph(spark, initial, master);
    metrics = new MetricsLog(setup.output(), spark.hadoopConfiguration(), step);
  }

  /** Steps done when training began: 0, or the checkpoint's. */
  public int step() {
    return step;
  }

  /**
   * Trains to the last step.
   *
   * @param stop asked between rounds; true ends the training after a checkpoint
   * @param progress receives the last metrics of each round
   * @throws IllegalStateException when the loss is no longer finite
   */
  public Outcome run(BooleanSupplier stop, Consumer<Metrics> progress) {
    try {
      if (metrics.lines().isEmpty()) {
        metrics.add(new Metrics(0, 0, now(), null, null, null, null, null));
        validate();
        progress.accept(last());
      }
      for (boolean stopping = false; step < config.steps() && !stopping; progress.accept(last())) {
        int before = step;
        train(Math.min(config.averagingSteps(), config.steps() - step));
        stopping = stop.getAsBoolean();
        boolean ending = step == config.steps() || stopping;
        if (ending || due(before, config.validationSteps())) {
          validate();
        }
        if (ending || due(before, config.checkpointSteps())) {
          save();
        }
      }
      return new Outcome(step >= config.steps(), step, store.path(step), validationLoss);
    } finally {
      WorkerGraphs.release();
    }
  }

  private boolean due(int before, int every) {
    return before / every != step / every;
  }

  /** One round of at most {@code steps} steps. */
  private void train(int steps) {
    long start = System.nanoTime();
    AveragingMaster.Round done = master.round(graph, data(steps));
    double seconds = (System.nanoTime() - start) / 1e9;
    round++;
    for (int i = 0; i < done.steps(); i++) {
      double rate = config.adamW().getLearningRate(step, 0);
      step++;
      if (!Double.isFinite(done.losses()[i])) {
        throw diverged(done.losses()[i]);
      }
      metrics.add(
          new Metrics(
              step,
              round,
              now(),
              done.losses()[i],
              rate,
              done.gradientNorms()[i],
              done.targetTokens() / seconds,
              null));
    }
    tokens += done.targetTokens();
    metrics.flush();
  }

  /**
   * One partition per worker; each reads its own run of positions from the shards when its task
   * runs.
   */
  private JavaRDD<MultiDataSet> data(int steps) {
    long first = step * config.stepSequences();
    SequenceSource source = setup.data();
    SequenceOrder sequences = order;
    int batch = config.batchSequences();
    List<Integer> numbers =
        IntStream.range(0, config.workers()).boxed().collect(Collectors.toList());
    return spark
        .parallelize(numbers, config.workers())
        .mapPartitionsWithIndex(
            (worker, unused) ->
                Batches.iterator(
                    source, sequences, first + (long) worker * steps * batch, batch, steps),
            true);
  }

  private void validate() {
    if (validator.isPresent()) {
      validationLoss = validator.get().loss(graph.getNetwork());
      metrics.validated(validationLoss);
    }
    metrics.flush();
  }

  private void save() {
    ComputationGraph net = graph.getNetwork();
    long length = net.numParams();
    FloatPointer moments = pointer(net.getUpdater().getStateViewArray());
    Checkpoint checkpoint =
        new Checkpoint(
            setup.model(),
            setup.specialTokens(),
            pointer(net.params()),
            Optional.of(new AdamMoments(moments, moments.getPointer(length))),
            Optional.empty(),
            state(),
            setup.tokenizerFiles());
    store.save(step, checkpoint);
    if (validator.isPresent() && validationLoss < bestLoss) {
      bestLoss = validationLoss;
      store.markBest(step);
    }
    store.prune(config.keepLast());
  }

  private Map<String, Object> state() {
    Map<String, Object> state = new LinkedHashMap<>(identity());
    state.put("step", step);
    state.put("round", round);
    state.put("tokens", tokens);
    state.put("position", step * config.stepSequences());
    state.put("validation_loss", Double.isNaN(validationLoss) ? null : validationLoss);
    state.put("best_validation_loss", Double.isInfinite(bestLoss) ? null : bestLoss);
    return state;
  }

  /** What must be the same for a run to go on. */
  private Map<String, Object> identity() {
    Map<String, Object> identity = new LinkedHashMap<>();
    identity.put("seed", setup.seed());
    identity.put("data", setup.fingerprint());
    identity.put("sequences", setup.data().size());
    identity.put("train.workers", config.workers());
    identity.put("train.batch-sequences", config.batchSequences());
    identity.put("train.sequence-length", config.sequenceLength());
    identity.put("train.averaging-steps", config.averagingSteps());
    return identity;
  }

  private void restore(CheckpointStore.Found found, ComputationGraph net) {
    try (Checkpoint checkpoint = found.checkpoint()) {
      checkSame("model", setup.model(), checkpoint.config(), found.path());
      Map<String, Object> state = checkpoint.state();
      identity().forEach((key, value) -> checkSame(key, value, state.get(key), found.path()));
      AdamMoments moments =
          checkpoint
              .moments()
              .orElseThrow(
                  () -> new IllegalArgumentException(found.path() + ": no optimizer state"));
      long length = net.numParams();
      copy(checkpoint.parameters(), pointer(net.params()), length);
      FloatPointer view = pointer(net.getUpdater().getStateViewArray());
      copy(moments.first(), view, length);
      copy(moments.second(), view.getPointer(length), length);
      step = ((Number) state.get("step")).intValue();
      round = ((Number) state.get("round")).intValue();
      tokens = ((Number) state.get("tokens")).longValue();
      validationLoss = number(state.get("validation_loss"), Double.NaN);
      bestLoss = number(state.get("best_validation_loss"), Double.POSITIVE_INFINITY);
      net.getConfiguration().setIterationCount(step);
    }
  }

  private static double number(Object value, double otherwise) {
    return value instanceof Number number ? number.doubleValue() : otherwise;
  }

  private static void checkSame(String key, Object wanted, Object got, String path) {
    if (!String.valueOf(wanted).equals(String.valueOf(got))) {
      throw new IllegalArgumentException(
          "cannot resume from "
              + path
              + ": it was trained with "
              + key
              + " = "
              + got
              + ", this run has "
              + wanted
              + "; use the same, another output, or resume=never to start over");
    }
  }

  private void checkLimits(long parameters) {
    long limit = spark.getConf().getSizeAsBytes("spark.driver.maxResultSize", "1g");
    long needed = config.workers() * parameters * 3 * Float.BYTES;
    if (limit != 0 && limit < needed) {
      throw new IllegalArgumentException(
          "spark.driver.maxResultSize: got "
              + limit
              + " bytes, "
              + config.workers()
              + " workers with "
              + parameters
              + " parameters and two moments each send "
              + needed
              + "; set spark.driver.maxResultSize="
              + 2 * needed);
    }
  }

  private IllegalStateException diverged(double loss) {
    metrics.flush();
    String good =
        store.steps().isEmpty()
            ? "none yet"
            : store.path(store.steps().get(store.steps().size() - 1));
    return new IllegalStateException(
        "training loss is "
            + loss
            + " at step "
            + step
            + "; last good checkpoint: "
            + good
            + "; lower train.learning-rate or train.clip-norm and run again");
  }

  private Metrics last() {
    return metrics.lines().get(metrics.lines().size() - 1);
  }

  private static double now() {
    return System.currentTimeMillis() / 1e3;
  }

  private static FloatPointer pointer(INDArray array) {
    return new FloatPointer(array.data().addressPointer());
  }

  private static void copy(FloatPointer from, FloatPointer to, long floats) {
    Pointer.memcpy(to, from, floats * Float.BYTES);
  }
}
