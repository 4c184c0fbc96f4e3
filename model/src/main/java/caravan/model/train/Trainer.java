package caravan.model.train;

import caravan.model.Adaptation;
import caravan.model.LlamaConfig;
import caravan.model.LlamaGraph;
import caravan.model.LlamaLayer;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.checkpoint.SpecialTokens;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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
   * @param resume where to begin
   * @param output directory, local or s3a
   * @param fingerprint identifies the training data; a run resumes only on the same data
   * @param specialTokens for the checkpoints
   * @param tokenizerFiles for the checkpoints
   * @param adaptation adapters that are trained in place of all parameters; {@code base} then holds
   *     what they begin with
   */
  public record Setup(
      LlamaConfig model,
      TrainConfig config,
      long seed,
      SequenceSource data,
      Optional<SequenceSource> validation,
      Optional<FloatPointer> base,
      Resume resume,
      String output,
      String fingerprint,
      SpecialTokens specialTokens,
      Map<String, byte[]> tokenizerFiles,
      Optional<Adaptation> adaptation) {
    public Setup {
      config = Epochs.inSteps(config, data.size());
    }

    /** A training of all parameters. */
    public Setup(
        LlamaConfig model,
        TrainConfig config,
        long seed,
        SequenceSource data,
        Optional<SequenceSource> validation,
        Optional<FloatPointer> base,
        Resume resume,
        String output,
        String fingerprint,
        SpecialTokens specialTokens,
        Map<String, byte[]> tokenizerFiles) {
      this(
          model,
          config,
          seed,
          data,
          validation,
          base,
          resume,
          output,
          fingerprint,
          specialTokens,
          tokenizerFiles,
          Optional.empty());
    }
  }

  /**
   * How a training ended.
   *
   * @param finished false when it was asked to stop before its last step
   * @param step steps done
   * @param checkpoint path of the newest checkpoint
   * @param validationLoss last measured, in nats per target token; NaN without validation data
   */
  public record Outcome(boolean finished, int step, String checkpoint, double validationLoss) {}

  private static final Logger log = LoggerFactory.getLogger(Trainer.class);

  private final JavaSparkContext spark;
  private final Setup setup;
  private final TrainConfig config;
  private final ReadingOrder order;
  private final CheckpointStore store;
  private final TrainingIdentity identity;
  private final Optional<Validator> validator;
  private final Optional<Validator> sampler;
  private final RoundMetrics rounds;
  private final LossWatch watch;
  private final MetricsLog metrics;
  private final TrainedModel model;
  private final List<String> damaged;
  private TrainingState state = TrainingState.START;

  /**
   * Prepares the model: from a checkpoint, the base, or random weights.
   *
   * @throws IllegalArgumentException when Spark's limits are too small for the model, or the
   *     checkpoint is of another training
   */
  public Trainer(JavaSparkContext spark, Setup setup) {
    this.spark = spark;
    this.setup = setup;
    config = setup.config();
    order = setup.data().order(setup.seed(), config.workers());
    validator = setup.validation().map(source -> Validator.heldOut(spark, config, source));
    sampler = Validator.sampled(spark, config, setup.data(), setup.seed());
    rounds = new RoundMetrics(spark, config, setup.model(), setup.data());
    Configuration hadoop = spark.hadoopConfiguration();
    store = new CheckpointStore(setup.output(), hadoop);
    identity = TrainingIdentity.of(setup);
    model =
        config.exchange().equals("sliced")
            ? new SlicedModel(spark, setup)
            : new DriverModel(spark, setup, initial(setup));
    if (!setup.resume().goesOn()) {
      store.clear();
    }
    Optional<CheckpointStore.Found> found = setup.resume().checkpoint(setup.output(), hadoop);
    found.ifPresent(this::restore);
    damaged = found.map(CheckpointStore.Found::skipped).orElse(List.of());
    watch = new LossWatch(config);
    metrics = found.map(this::metrics).orElseGet(() -> new MetricsLog(setup.output(), hadoop));
  }

  private void restore(CheckpointStore.Found found) {
    Map<String, Object> fields = found.state();
    Resume.Data data = setup.resume().data();
    identity.require(found.model(), fields, data, found.path());
    state = TrainingState.of(fields, found.path());
    if (data == Resume.Data.RESTART) {
      state = state.withDataRestarted();
    } else if (!TrainingState.tellsOrder(fields) && config.workers() > 1) {
      log.warn(
          "{} is of a version that gave workers their sequences in another order: in this epoch"
              + " some are read twice and some not at all",
          found.path());
    }
    if (store.holds(found)) {
      store.pointTo(state.step(), TrainingState.tellsBest(fields) ? state.best() : store.best());
    } else {
      state = state.withoutBest();
    }
    model.restore(found, state.step());
  }

  /** The lines up to the checkpoint: of this output, or of the one that it lies in. */
  private MetricsLog metrics(CheckpointStore.Found found) {
    String from = store.holds(found) ? setup.output() : found.output();
    return MetricsLog.resumed(
        setup.output(), spark.hadoopConfiguration(), from, state.step(), watch::see);
  }

  /** The layer that a training trains. */
  static LlamaLayer layer(Setup setup) {
    LlamaLayer whole = setup.config().layer(setup.model(), setup.seed());
    setup.adaptation().ifPresent(unused -> setup.config().requireAdapters());
    return setup.adaptation().map(whole::beside).orElse(whole);
  }

  /** The graph of a training's first step: with random weights or the base's. */
  static ComputationGraph initial(Setup setup) {
    TrainConfig config = setup.config();
    ComputationGraph graph =
        LlamaGraph.create(layer(setup), config.updater(setup.model()), setup.seed());
    FloatPointer parameters = new FloatPointer(graph.params().data().addressPointer());
    setup
        .base()
        .ifPresent(base -> Pointer.memcpy(parameters, base, graph.numParams() * Float.BYTES));
    return graph;
  }

  /** Steps done when training began: 0, or the checkpoint's. */
  public int step() {
    return state.step();
  }

  /** What is wrong with newer checkpoints than the one that training goes on from. */
  public List<String> damaged() {
    return damaged;
  }

  /**
   * Trains to the last step, or until validation has stopped to improve.
   *
   * @param stop asked between rounds; true ends the training after a checkpoint
   * @param progress receives the last metrics of each round
   * @throws NonFiniteLoss when the loss is no longer finite
   * @throws IllegalStateException when a checkpoint cannot be written
   */
  public Outcome run(BooleanSupplier stop, Consumer<Metrics> progress) {
    try (model;
        CheckpointWriter checkpoints = new CheckpointWriter(store, config, identity)) {
      if (metrics.isEmpty()) {
        metrics.add(Metrics.start(RoundMetrics.now()));
        validate();
        metrics.flush();
        progress.accept(metrics.last());
      }
      if (finished() && !store.steps().contains((long) state.step())) {
        save(checkpoints);
      }
      for (boolean stopping = false; !finished() && !stopping; ) {
        TrainingState before = state;
        train(Math.min(config.averagingSteps(), config.steps() - state.step()));
        if (finished() || state.passed(config.validationSteps(), before)) {
          validate();
        }
        metrics.flush();
        stopping = stop.getAsBoolean();
        if (finished() || stopping || checkpoints.due(before, state)) {
          save(checkpoints);
        }
        progress.accept(metrics.last());
      }
      checkpoints.await();
      metrics.gather();
      return new Outcome(
          finished(), state.step(), store.path(state.step()), state.validationLoss());
    }
  }

  private boolean finished() {
    return state.step() >= config.steps() || watch.exhausted();
  }

  /** One round of at most {@code steps} steps. */
  private void train(int steps) {
    TrainingState before = state;
    long start = System.nanoTime();
    long position = state.position();
    AveragingMaster.Round done =
        model.round(() -> Batches.ofWorkers(spark, config, setup.data(), order, position, steps));
    double seconds = (System.nanoTime() - start) / 1e9;
    state = state.after(done, steps * config.stepSequences());
    new Divergence(config, order, store).check(before, done);
    for (Metrics line : rounds.lines(before, done, seconds, watch)) {
      if (line.spike() != null) {
        log.warn("step {}: loss {} is a spike", line.step(), line.loss());
      }
      metrics.add(line);
    }
  }

  private void validate() {
    if (validator.isEmpty() && sampler.isEmpty()) {
      return;
    }
    Double training = sampler.map(of -> model.measured(of::loss)).orElse(null);
    Double validation = validator.map(of -> model.measured(of::loss)).orElse(null);
    metrics.replaceLast(metrics.last().validated(validation, training));
    if (validation != null) {
      state = state.validated(validation);
      watch.seeValidation(validation);
    }
  }

  private void save(CheckpointWriter checkpoints) {
    state = state.isBest() ? state.asBest() : state;
    metrics.gather();
    checkpoints.save(model, state);
  }
}
