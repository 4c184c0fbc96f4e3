package caravan.model.engine;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.CpuPasses.Beside;
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
  private final CpuPasses passes;

  /** How decoders read the weights. */
  private final WeightType stored;

  private ModelWeights kept;
  private CpuDecoding decoding;
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

  /**
   * An engine of a model that is packed and stays as it is: it decodes and scores. Its parameters
   * are none: {@code new FloatPointer()}.
   *
   * @param config the model's shape as it is to be read
   * @param packed stays the caller's, and open as long as this
   */
  public CpuEngine(LlamaConfig config, FrozenBase packed, int threads) {
    this(config, Optional.empty(), threads, MAX_LOGITS, packed.type(), CpuOptions.EXACT);
    passes.freeze(packed);
    kept = new ModelWeights(packed);
  }

  private CpuEngine(
      LlamaConfig config,
      Optional<Beside> beside,
      int threads,
      long maxLogits,
      WeightType stored,
      CpuOptions options) {
    this.config = config;
    this.beside = beside;
    this.stored = stored;
    this.layout = new ParameterLayout(config);
    this.team = new Team(threads);
    this.passes = new CpuPasses(layout, beside, team, maxLogits, options);
    BlasThreads.acquire();
  }

  /**
   * Loads the libraries and has the JVM compile what decoding runs, unless C is compiled already,
   * on a model of nothing but zeros: done while a model is opened, it takes half a second off the
   * first token.
   */
  public static void warmUp(WeightType stored) {
    LlamaConfig tiny = new LlamaConfig(256, 512, 2, 4, 2, 64, 512, 512, 10_000, 1e-5, true);
    long length = new ParameterLayout(tiny).length();
    long end = System.nanoTime() + (NativeKernels.isUsable() ? 0 : WARM_UP_NANOS);
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
    requireOpen();
    return passes.lossAndGradient(parameters, gradient, batch, pass);
  }

  @Override
  public TokenScores score(FloatPointer parameters, TokenBatch batch) {
    requireOpen();
    return passes.score(parameters, batch);
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
    boolean ready = passes.isFrozen() || kept != null && kept.isOf(parameters);
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
    if (beside.isPresent() || passes.isFrozen()) {
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

  /**
   * A training of adapters.
   *
   * @param type of the base's matrices
   */
  public record Frozen(AdapterLayout layout, WeightType type) {}

  /**
   * Bytes that training takes beside parameters, gradient and moments, by part; nothing is
   * allocated.
   *
   * @param frozen what stands beside which base, where not all parameters are trained
   * @param sequences that go through at a time
   * @param length tokens of each
   * @param drops whether dropout is in the residual branches
   */
  public static Map<String, Long> trainingMemory(
      LlamaConfig config,
      Optional<Frozen> frozen,
      int sequences,
      int length,
      int threads,
      CpuOptions options,
      boolean drops) {
    return CpuPasses.memory(config, frozen, sequences, length, threads, options, MAX_LOGITS, drops);
  }

  /** Bytes that this holds for training beside parameters, gradient and moments, by part. */
  public Map<String, Long> trainingMemory() {
    return passes.memory();
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
    passes.close();
    BlasThreads.release();
  }
}
