package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.LlamaEngine.TokenScores;
import caravan.model.engine.Phases.Phase;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * {@link CpuEngine}'s passes over whole batches: training's forward and backward, and scores.
 * Buffers are sized by the largest batch seen and kept until {@link #close}.
 */
final class CpuPasses implements AutoCloseable {
  private final LlamaConfig config;
  private final ParameterLayout layout;

  /** Null where all parameters are trained. */
  private final Beside beside;

  private final double adapterDropout;
  private final Team team;
  private final Worker[] workers;
  private final Blocks blocks;
  private final OutputHead head;
  private final CpuOptions options;
  private final long maxLogits;
  private final UnderWay underWay = new UnderWay();
  private final Dropping dropping = new Dropping();
  private Weights weights;
  private boolean frozen;
  private Weights gradients;
  private Activations training;
  private Activations scoring;
  private Rope rope;

  /**
   * @param beside a frozen base and what stands beside it, where that is what is trained
   * @param maxLogits floats for logits at a time
   */
  CpuPasses(
      ParameterLayout layout,
      Optional<Beside> beside,
      Team team,
      long maxLogits,
      CpuOptions options) {
    this.layout = layout;
    this.config = layout.config();
    this.beside = beside.orElse(null);
    this.adapterDropout = beside.map(b -> b.layout().lora().dropout()).orElse(0.0);
    this.team = team;
    this.maxLogits = maxLogits;
    this.options = options;
    this.workers = new Worker[team.size()];
    for (int i = 0; i < workers.length; i++) {
      workers[i] = new Worker(i, team, config);
    }
    this.blocks = new Blocks(layout, beside.map(Beside::adapters));
    this.head = new OutputHead(layout);
  }

  /** Scores with a packed model from now on, whatever parameters are given. */
  void freeze(FrozenBase packed) {
    frozen = true;
    weights = Weights.of(packed);
  }

  boolean isFrozen() {
    return frozen;
  }

  /** What is frozen, and what stands beside it. */
  record Beside(AdapterLayout layout, FrozenBase base, Adapters adapters) {}

  TrainingPass.Loss lossAndGradient(
      FloatPointer parameters, FloatPointer gradient, TokenBatch batch, TrainingPass pass) {
    if (frozen) {
      throw new IllegalStateException("engine: got a packed model to train, wanted floats");
    }
    prepare(parameters, batch);
    if (gradients == null || !gradients.isAt(gradient)) {
      gradients =
          beside == null
              ? new Weights(layout, gradient)
              : Weights.gradientBeside(beside.layout, gradient);
    }
    Activations a = training(batch.ids().length);
    int targets = a.collectTargets(batch);
    if (targets == 0) {
      if (!pass.adds()) {
        Buffer.zero(Weights.addressOf(gradient), trainedLength());
      }
      return TrainingPass.Loss.ZERO;
    }
    gradients.beta = pass.adds() ? 1 : 0;
    a.drop(dropping.of(pass, batch, adapterDropout), config);
    if (options.inHalves()) {
      weights.keepHalves();
    }
    underWay.batch = batch;
    underWay.pass = pass;
    underWay.targets = targets;
    team.run(underWay);
    sumGainGradients();
    double loss = 0;
    double penalty = 0;
    for (Worker worker : workers) {
      loss += worker.loss;
      penalty += worker.penalty;
    }
    return new TrainingPass.Loss((loss + penalty) / pass.targets(), loss / pass.targets());
  }

  /** The pass that the team is at: one object, so that a step makes none. */
  private final class UnderWay implements IntConsumer {
    private TokenBatch batch;
    private TrainingPass pass;
    private int targets;

    @Override
    public void accept(int member) {
      Worker worker = workers[member];
      worker.phases.end(Phase.OUTSIDE);
      if (options.inHalves()) {
        weights.round(worker);
        worker.barrier();
      }
      blocks.forward(worker, weights, training, batch);
      head.lossAndGradient(worker, weights, gradients, training, batch, targets, pass);
      blocks.backward(worker, weights, gradients, training, batch);
    }
  }

  TokenScores score(FloatPointer parameters, TokenBatch batch) {
    prepare(parameters, batch);
    Activations a = scoring(batch.ids().length);
    int targets = a.collectTargets(batch);
    TokenScores scores =
        new TokenScores(new float[batch.ids().length], new boolean[batch.ids().length]);
    if (targets > 0) {
      team.run(
          member -> {
            Worker worker = workers[member];
            blocks.forward(worker, weights, a, batch);
            head.score(worker, weights, a, batch, targets, scores);
          });
    }
    return scores;
  }

  /** Floats of parameters and of their gradient. */
  private long trainedLength() {
    return beside == null ? layout.length() : beside.layout.length();
  }

  private void prepare(FloatPointer parameters, TokenBatch batch) {
    batch.requireFits(config);
    BlasThreads.confirm();
    if (!frozen && (weights == null || !weights.isAt(parameters))) {
      if (weights != null) {
        weights.close();
      }
      weights =
          beside == null
              ? new Weights(layout, parameters)
              : Weights.beside(beside.base, beside.layout, parameters);
    }
    if (beside != null) {
      beside.adapters.prepare(batch.ids().length);
    }
    for (Worker worker : workers) {
      worker.ensureKeys(batch.seq());
    }
    if (rope == null || !rope.suits(batch.seq())) {
      free(rope);
      rope = new Rope(config, batch.seq());
      blocks.turnBy(rope);
    }
  }

  private Activations training(int tokens) {
    if (training == null || !training.holds(tokens)) {
      free(training);
      training = null;
      training = new Activations(config, tokens, true, options, maxLogits);
    }
    return training;
  }

  private Activations scoring(int tokens) {
    if (scoring == null || !scoring.holds(tokens)) {
      free(scoring);
      scoring = null;
      scoring = new Activations(config, tokens, false, CpuOptions.EXACT, maxLogits);
    }
    return scoring;
  }

  /** Each worker saw its own rows; the gain's gradient is their sum, in one order. */
  private void sumGainGradients() {
    int hidden = config.hiddenSize();
    for (int layer = 0; layer < config.layerCount(); layer++) {
      sumGainGradient(gradients.attentionNorm(layer), 2 * layer * hidden);
      sumGainGradient(gradients.mlpNorm(layer), (2 * layer + 1) * hidden);
    }
    sumGainGradient(gradients.finalNorm(), 2 * config.layerCount() * hidden);
  }

  private void sumGainGradient(Buffer gain, int at) {
    if (gain == null) {
      return;
    }
    for (int j = 0; j < gain.length(); j++) {
      float sum = gradients.beta == 0 ? 0 : gain.get(j);
      for (Worker worker : workers) {
        sum += worker.gainGradients.get(at + j);
      }
      gain.set(j, sum);
    }
  }

  /** What {@link #memory()} will be, once a pass of this size has been. */
  static Map<String, Long> memory(
      LlamaConfig config,
      Optional<CpuEngine.Frozen> frozen,
      int sequences,
      int length,
      int threads,
      CpuOptions options,
      long maxLogits,
      boolean drops) {
    int tokens = Math.multiplyExact(sequences, length);
    boolean halves = options.inHalves();
    long logits = Activations.logitBytes(config, tokens, halves, maxLogits);
    long all = Activations.trainingBytes(config, tokens, options, maxLogits, drops);
    long weights =
        !halves
            ? 0
            : frozen
                .filter(f -> f.type() != WeightType.F32)
                .map(f -> Weights.halfBytes(f.layout().saved().keySet()))
                .orElseGet(() -> Weights.halfBytes(new ParameterLayout(config).tensors()));
    long adapters = frozen.map(f -> AdapterRooms.bytes(f.layout(), tokens)).orElse(0L);
    long panel = frozen.map(f -> PackedProducts.bytes(f.type(), halves, config)).orElse(0L);
    long work = threads * (Worker.bytes(config, length) + panel) + Rope.bytes(config, length);
    return parts(all - logits, logits, adapters, weights, work);
  }

  /** Bytes that this holds for training beside parameters, gradient and moments, by part. */
  Map<String, Long> memory() {
    long logits = training == null ? 0 : training.logits.bytes();
    long all = training == null ? 0 : training.bytes();
    long work = rope == null ? 0 : rope.bytes();
    for (Worker worker : workers) {
      work += worker.bytes();
    }
    long adapters = beside == null ? 0 : beside.adapters().bytes();
    long halves = weights == null ? 0 : weights.halfBytes();
    return parts(all - logits, logits, adapters, halves, work);
  }

  private static Map<String, Long> parts(
      long activations, long logits, long adapters, long halves, long work) {
    Map<String, Long> parts = new LinkedHashMap<>();
    parts.put("activations", activations);
    parts.put("logits", logits);
    parts.put("adapters' activations", adapters);
    parts.put("weights in bf16", halves);
    parts.put("threads' work", work);
    return parts;
  }

  @Override
  public void close() {
    free(rope);
    free(training);
    free(scoring);
    for (Worker worker : workers) {
      worker.close();
    }
    if (beside != null) {
      beside.adapters.close();
    }
    if (weights != null) {
      weights.close();
    }
  }

  private static void free(Activations activations) {
    if (activations != null) {
      activations.close();
    }
  }

  private static void free(Rope rope) {
    if (rope != null) {
      rope.close();
    }
  }
}
