package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.Phases.Phase;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Forward and backward written by hand for the CPU: element-wise work by the JDK's Vector API,
 * matrix products by oneDNN or OpenBLAS, all on buffers outside the heap. Needs JavaCPP and these
 * two alone.
 *
 * <p>{@code threads} workers share out the rows of every step and meet at barriers ({@link Blocks},
 * {@link OutputHead}); each calls BLAS single-threaded. The result depends on the number of threads
 * by rounding only, and repeats bit for bit for the same number. Buffers are sized by the largest
 * batch seen and kept; {@link #close} frees them.
 */
public final class CpuEngine implements LlamaEngine {
  private static final long MAX_LOGITS = 16L << 20;
  private static final long WARM_UP_NANOS = 600_000_000;
  private static final int WIDE_BITS = 512;

  static {
    if (Buffer.LANES.vectorBitSize() < WIDE_BITS) {
      System.getLogger(CpuEngine.class.getName())
          .log(
              System.Logger.Level.INFO,
              "engine cpu: vectors of {0} bits, as wide as this machine has them",
              Buffer.LANES.vectorBitSize());
    }
  }

  /** Whether this machine multiplies bf16 faster than fp32. */
  public static boolean multipliesHalves() {
    return HalfGemm.isNative();
  }

  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final Optional<Beside> beside;
  private final Team team;
  private final Worker[] workers;
  private final Blocks blocks;
  private final OutputHead head;
  private final CpuOptions options;
  private final long maxLogits;

  /** How decoders read the weights. */
  private final WeightType stored;

  private ModelWeights kept;
  private CpuDecoding decoding;
  private Weights weights;
  private Weights gradients;
  private Activations training;
  private Activations scoring;
  private Rope rope;
  private boolean closed;

  /**
   * @throws IllegalArgumentException when {@code threads} is below 1
   */
  public CpuEngine(LlamaConfig config, int threads) {
    this(config, threads, WeightType.F32);
  }

  /**
   * @param stored what decoders make of the parameters: anything but F32 is a copy, made by {@link
   *     #keep} for all of them, else by each
   */
  public CpuEngine(LlamaConfig config, int threads, WeightType stored) {
    this(config, Optional.empty(), threads, MAX_LOGITS, stored, CpuOptions.EXACT);
  }

  /**
   * An engine whose parameters are adapters and the modules trained in full, beside a frozen base.
   *
   * @param base stays the caller's, and open as long as this
   */
  public CpuEngine(AdapterLayout adapters, FrozenBase base, int threads) {
    this(adapters, base, threads, CpuOptions.EXACT);
  }

  /**
   * @param options how it trains
   */
  public CpuEngine(AdapterLayout adapters, FrozenBase base, int threads, CpuOptions options) {
    this(
        adapters.config(),
        Optional.of(new Beside(adapters, base, new Adapters(adapters))),
        threads,
        MAX_LOGITS,
        WeightType.F32,
        options);
  }

  /**
   * @param maxLogits floats for logits at a time
   */
  CpuEngine(LlamaConfig config, int threads, long maxLogits) {
    this(config, Optional.empty(), threads, maxLogits, WeightType.F32, CpuOptions.EXACT);
  }

  /**
   * @param options how it trains
   * @throws IllegalArgumentException when {@code threads} is below 1
   */
  public CpuEngine(LlamaConfig config, int threads, CpuOptions options) {
    this(config, Optional.empty(), threads, MAX_LOGITS, WeightType.F32, options);
  }

  /** What is frozen, and what stands beside it. */
  private record Beside(AdapterLayout layout, FrozenBase base, Adapters adapters) {}

  private CpuEngine(
      LlamaConfig config,
      Optional<Beside> beside,
      int threads,
      long maxLogits,
      WeightType stored,
      CpuOptions options) {
    this.options = options;
    this.config = config;
    this.beside = beside;
    this.stored = stored;
    this.maxLogits = maxLogits;
    this.layout = new ParameterLayout(config);
    this.team = new Team(threads);
    this.workers = new Worker[threads];
    for (int i = 0; i < threads; i++) {
      workers[i] = new Worker(i, team, config);
    }
    this.blocks = new Blocks(layout, beside.map(Beside::adapters));
    this.head = new OutputHead(layout);
    BlasThreads.acquire();
  }

  /**
   * Loads the libraries and has the JVM compile what decoding runs, on a model of nothing but
   * zeros: done while a model is opened, it takes half a second off the first token.
   */
  public static void warmUp(WeightType stored) {
    LlamaConfig tiny = new LlamaConfig(256, 512, 2, 4, 2, 64, 512, 512, 10_000, 1e-5, true);
    long length = new ParameterLayout(tiny).length();
    long end = System.nanoTime() + WARM_UP_NANOS;
    try (FloatPointer zeros = new FloatPointer(Pointer.calloc(length, Float.BYTES));
        CpuEngine engine = new CpuEngine(tiny, 1, stored);
        Kept kept = engine.keep(zeros);
        Decoder decoder = engine.decoder(zeros, tiny.contextLength())) {
      decoder.append(1, 2, 3);
      while (System.nanoTime() < end && decoder.length() < tiny.contextLength()) {
        decoder.append(1);
      }
    }
  }

  @Override
  public LlamaConfig config() {
    return config;
  }

  @Override
  public TrainingPass.Loss lossAndGradient(
      FloatPointer parameters, FloatPointer gradient, TokenBatch batch, TrainingPass pass) {
    prepare(parameters, batch);
    if (gradients == null || !gradients.isAt(gradient)) {
      gradients =
          beside
              .map(b -> Weights.gradientBeside(b.layout(), gradient))
              .orElseGet(() -> new Weights(layout, gradient));
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
    a.drop(Dropping.of(pass, batch, adapterDropout()), config);
    if (options.inHalves()) {
      weights.keepHalves();
    }
    team.run(
        member -> {
          Worker worker = workers[member];
          worker.phases.end(Phase.OUTSIDE);
          if (options.inHalves()) {
            weights.round(worker);
            worker.barrier();
          }
          blocks.forward(worker, weights, a, batch);
          head.lossAndGradient(worker, weights, gradients, a, batch, targets, pass);
          blocks.backward(worker, weights, gradients, a, batch);
        });
    sumGainGradients();
    double loss = 0;
    double penalty = 0;
    for (Worker worker : workers) {
      loss += worker.loss;
      penalty += worker.penalty;
    }
    return new TrainingPass.Loss((loss + penalty) / pass.targets(), loss / pass.targets());
  }

  @Override
  public TokenScores score(FloatPointer parameters, TokenBatch batch) {
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

  @Override
  public Decoder decoder(FloatPointer parameters, int maxLength) {
    requireOpen();
    if (maxLength < 1 || maxLength > config.contextLength()) {
      throw new IllegalArgumentException(
          "decoder: got a length of "
              + maxLength
              + " tokens, wanted 1 to "
              + config.contextLength()
              + " (model.max-position-embeddings)");
    }
    if (beside.isPresent()) {
      throw new IllegalStateException(
          "decoder: got an engine beside a frozen base, wanted one of the merged model");
    }
    if (decoding == null) {
      decoding = new CpuDecoding(layout, team);
    }
    boolean ready = kept != null && kept.isOf(parameters);
    ModelWeights read = ready ? kept : new ModelWeights(layout, parameters, stored, team);
    return new CpuDecoder(decoding, read, !ready, maxLength);
  }

  @Override
  public float[][] appendToEach(List<? extends Decoder> sequences, int[] ids) {
    CpuDecoder.requireFits(sequences, ids);
    List<CpuDecoder> batch = sequences.stream().map(CpuDecoder.class::cast).toList();
    decoding.appendToEach(batch, ids);
    return batch.stream().map(CpuDecoder::logits).toArray(float[][]::new);
  }

  /** Packs the weights once, for all decoders until the result is closed. */
  @Override
  public Kept keep(FloatPointer parameters) {
    requireOpen();
    if (beside.isPresent()) {
      return () -> {};
    }
    ModelWeights weights = new ModelWeights(layout, parameters, stored, team);
    kept = weights;
    return () -> {
      if (kept == weights) {
        kept = null;
      }
      weights.close();
    };
  }

  /** Floats of parameters and of their gradient. */
  private long trainedLength() {
    return beside.map(b -> b.layout().length()).orElse(layout.length());
  }

  private double adapterDropout() {
    return beside.map(b -> b.layout().lora().dropout()).orElse(0.0);
  }

  private void prepare(FloatPointer parameters, TokenBatch batch) {
    requireOpen();
    batch.requireFits(config);
    BlasThreads.confirm();
    if (weights == null || !weights.isAt(parameters)) {
      if (weights != null) {
        weights.close();
      }
      weights =
          beside
              .map(b -> Weights.beside(b.base(), b.layout(), parameters))
              .orElseGet(() -> new Weights(layout, parameters));
    }
    beside.ifPresent(b -> b.adapters().prepare(batch.ids().length));
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

  /**
   * Bytes that training takes beside parameters, gradient and moments, by part; nothing is
   * allocated.
   *
   * @param sequences that go through at a time
   * @param length tokens of each
   * @param drops whether dropout is in the residual branches
   */
  public static Map<String, Long> trainingMemory(
      LlamaConfig config,
      int sequences,
      int length,
      int threads,
      CpuOptions options,
      boolean drops) {
    int tokens = Math.multiplyExact(sequences, length);
    boolean halves = options.inHalves();
    long logits = Activations.logitBytes(config, tokens, halves, MAX_LOGITS);
    long all = Activations.trainingBytes(config, tokens, options, MAX_LOGITS, drops);
    long weights = halves ? new ParameterLayout(config).length() * Short.BYTES : 0;
    long work = threads * Worker.bytes(config, length) + Rope.bytes(config, length);
    return parts(all - logits, logits, weights, work);
  }

  /** Bytes that this holds for training beside parameters, gradient and moments, by part. */
  public Map<String, Long> trainingMemory() {
    long logits = training == null ? 0 : training.logits.bytes();
    long all = training == null ? 0 : training.bytes();
    long work = rope == null ? 0 : rope.bytes();
    for (Worker worker : workers) {
      work += worker.bytes();
    }
    return parts(all - logits, logits, weights == null ? 0 : weights.halfBytes(), work);
  }

  private static Map<String, Long> parts(long activations, long logits, long halves, long work) {
    Map<String, Long> parts = new LinkedHashMap<>();
    parts.put("activations", activations);
    parts.put("logits", logits);
    parts.put("weights in bf16", halves);
    parts.put("threads' work", work);
    return parts;
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("engine: used after close(); open a new one");
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    team.close();
    if (decoding != null) {
      decoding.close();
    }
    free(rope);
    free(training);
    free(scoring);
    for (Worker worker : workers) {
      worker.close();
    }
    beside.ifPresent(b -> b.adapters().close());
    if (weights != null) {
      weights.close();
    }
    BlasThreads.release();
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
