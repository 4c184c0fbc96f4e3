package caravan.model.train;

import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.SpecialTokens;
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
  private final CheckpointWriter checkpoints;
  private final Optional<Validator> validator;
  private final MetricsLog metrics;
  private final TrainedModel model;
  private TrainingState state = TrainingState.START;

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
    validator = setup.validation().map(source -> new Validator(spark, config, source));
    store = new CheckpointStore(setup.output(), spark.hadoopConfiguration());
    TrainingIdentity identity = TrainingIdentity.of(setup);
    checkpoints = new CheckpointWriter(store, config, identity);
    model = new DriverModel(spark, setup, initial(setup));
    if (setup.resume()) {
      store.latest().ifPresent(found -> restore(found, identity));
    } else {
      store.clear();
    }
    metrics = new MetricsLog(setup.output(), spark.hadoopConfiguration(), state.step());
  }

  /** The graph of a training's first step: with random weights or the base's. */
  private static ComputationGraph initial(Setup setup) {
    TrainConfig config = setup.config();
    ComputationGraph graph =
        LlamaGraph.create(
            config.layer(setup.model(), setup.seed()), config.updater(setup.model()), setup.seed());
    FloatPointer parameters = new FloatPointer(graph.params().data().addressPointer());
    setup
        .base()
        .ifPresent(base -> Pointer.memcpy(parameters, base, graph.numParams() * Float.BYTES));
    return graph;
  }

  private void restore(CheckpointStore.Found found, TrainingIdentity identity) {
    Map<String, Object> fields = found.state();
    identity.require(found.model(), fields, found.path());
    state = TrainingState.of(fields, found.path());
    model.restore(found, state.step());
  }

  /** Steps done when training began: 0, or the checkpoint's. */
  public int step() {
    return state.step();
  }

  /**
   * Trains to the last step.
   *
   * @param stop asked between rounds; true ends the training after a checkpoint
   * @param progress receives the last metrics of each round
   * @throws IllegalStateException when the loss is no longer finite
   */
  public Outcome run(BooleanSupplier stop, Consumer<Metrics> progress) {
    try (model) {
      if (metrics.lines().isEmpty()) {
        metrics.add(new Metrics(0, 0, now(), null, null, null, null, null));
        validate();
        progress.accept(last());
      }
      for (boolean stopping = false; !finished() && !stopping; progress.accept(last())) {
        TrainingState before = state;
        train(Math.min(config.averagingSteps(), config.steps() - state.step()));
        stopping = stop.getAsBoolean();
        boolean ending = finished() || stopping;
        if (ending || state.passed(config.validationSteps(), before)) {
          validate();
        }
        if (ending || checkpoints.due(before, state)) {
          save();
        }
      }
      return new Outcome(
          finished(), state.step(), store.path(state.step()), state.validationLoss());
    }
  }

  private boolean finished() {
    return state.step() >= config.steps();
  }

  /** One round of at most {@code steps} steps. */
  private void train(int steps) {
    long start = System.nanoTime();
    AveragingMaster.Round done = model.round(data(steps));
    double seconds = (System.nanoTime() - start) / 1e9;
    int first = state.step();
    state = state.after(done, steps * config.stepSequences());
    for (int i = 0; i < done.steps(); i++) {
      requireFinite("training loss", done.losses()[i], first + i + 1);
      requireFinite("gradient's norm", done.gradientNorms()[i], first + i + 1);
      metrics.add(
          new Metrics(
              first + i + 1,
              state.round(),
              now(),
              done.losses()[i],
              config.rates().valueAt(first + i, 0),
              done.gradientNorms()[i],
              done.targetTokens() / seconds,
              null));
    }
    metrics.flush();
  }

  /**
   * One partition per worker; each reads its own run of positions from the shards when its task
   * runs.
   */
  private JavaRDD<MultiDataSet> data(int steps) {
    long first = state.position();
    SequenceSource source = setup.data();
    SequenceOrder sequences = order;
    int batch = config.workerSequences();
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
      try (TrainedModel.Shared shared = model.share()) {
        state = state.validated(validator.get().loss(shared));
      }
      metrics.validated(state.validationLoss());
    }
    metrics.flush();
  }

  private void save() {
    boolean best = state.validationLoss() < state.bestLoss();
    state = best ? state.best() : state;
    checkpoints.save(model, state, best);
  }

  private void requireFinite(String what, double value, int step) {
    if (Double.isFinite(value)) {
      return;
    }
    metrics.flush();
    String good =
        store.steps().isEmpty()
            ? "none yet"
            : store.path(store.steps().get(store.steps().size() - 1));
    throw new IllegalStateException(
        what
            + " is "
            + value
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
}
