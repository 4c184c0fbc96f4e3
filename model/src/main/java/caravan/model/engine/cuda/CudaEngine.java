package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.TensorLayout;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.Objective;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The engine on an NVIDIA GPU: our own kernels (src/main/cuda, compiled for the device at first
 * use) and cuBLASLt's matrix products, reached through a small JNI library. Needs JavaCPP's
 * pointers alone, no ND4J and no Spark.
 *
 * <p>Masters of the weights, their gradients, moments and the residual stream are fp32; {@link
 * Precision} says what the rest is. Sums have one order, so results repeat bit for bit on the same
 * device with the same libraries. Buffers are sized by the largest batch seen and kept; {@link
 * #close} frees them.
 */
public final class CudaEngine implements LlamaEngine {

  /**
   * How the engine uses its GPU.
   *
   * @param device index of the GPU among those this process sees
   * @param recompute keep only the input of each block for the backward pass and compute the rest
   *     again: a third more work for a fraction of the memory
   */
  public record Options(int device, Precision precision, boolean recompute) {}

  private static final int COPIED_AT_ONCE = 1 << 16;

  private final LlamaConfig config;
  private final Options options;
  private final Optional<AdapterLayout> adapters;
  private final Device device;
  private final Products products;
  private final CudaModel model;
  private final CudaPasses passes;

  /** fp64 [2] what {@link CudaPasses#gradients} sums up. */
  private final long sums;

  private CudaTraining resident;
  private long generation;

  /** Address of the host's parameters that are on the device and do not change; 0 for none. */
  private long kept;

  private boolean closed;

  /**
   * @throws IllegalArgumentException when CUDA's libraries or the GPU are missing
   * @throws CudaException when the GPU has too little memory for the weights, or a kernel cannot be
   *     compiled
   */
  public CudaEngine(LlamaConfig config, Options options) {
    this(config, Optional.empty(), Optional.empty(), options);
  }

  /**
   * An engine whose parameters are adapters and the modules trained in full, beside a frozen base,
   * which is copied to the GPU once and in the type that products read.
   *
   * @param base stays the caller's; it is read here only
   */
  public CudaEngine(AdapterLayout adapters, FrozenBase base, Options options) {
    this(adapters.config(), Optional.of(adapters), Optional.of(base), options);
  }

  private CudaEngine(
      LlamaConfig config,
      Optional<AdapterLayout> adapters,
      Optional<FrozenBase> base,
      Options options) {
    this.config = config;
    this.options = options;
    this.adapters = adapters;
    this.device = Device.open(options.device());
    try {
      products = new Products(device, options.precision());
      model = model(base);
      passes = new CudaPasses(model, options.recompute());
      sums = device.allocate("results", 2 * Double.BYTES);
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
  }

  private CudaModel model(Optional<FrozenBase> base) {
    Precision precision = options.precision();
    ParameterLayout layout = new ParameterLayout(config);
    byte[] image = KernelImage.of(device.capability(), precision, Driver.driverVersion());
    Kernels kernels = new Kernels(device, image, config);
    DeviceParameters trained =
        new DeviceParameters(device, precision, adapters.<TensorLayout>map(a -> a).orElse(layout));
    DeviceWeights weights =
        adapters
            .map(a -> beside(a, trained, kernels, base.orElseThrow()))
            .orElseGet(() -> new DeviceWeights(trained));
    return new CudaModel(
        device,
        precision,
        layout,
        trained,
        weights,
        kernels,
        new AttentionKernels(kernels.launch(), config, precision, device.capability()),
        new Linears(products, weights),
        adapters.map(a -> new CudaAdapters(device, precision, a, trained, products, kernels)));
  }

  private DeviceWeights beside(
      AdapterLayout layout, DeviceParameters trained, Kernels kernels, FrozenBase base) {
    FrozenWeights frozen = new FrozenWeights(device, kernels, options.precision(), layout, base);
    return new DeviceWeights(trained, layout, frozen);
  }

  @Override
  public LlamaConfig config() {
    return config;
  }

  @Override
  public TrainingPass.Loss lossAndGradient(
      FloatPointer host, FloatPointer gradient, TokenBatch batch, TrainingPass pass) {
    TrainingPass alone = new TrainingPass(pass.objective(), pass.step(), pass.targets(), false);
    send(batch, alone);
    upload(host);
    passes.gradients(sums);
    if (pass.adds()) {
      addTo(gradient);
    } else {
      parameters().download(gradient, parameters().gradients());
    }
    return read(pass);
  }

  /** gradient += what is on the device. */
  private void addTo(FloatPointer gradient) {
    long length = trainedLength();
    try (FloatPointer part = new FloatPointer(length)) {
      parameters().download(part, parameters().gradients());
      device.synchronize();
      float[] sum = new float[COPIED_AT_ONCE];
      float[] added = new float[COPIED_AT_ONCE];
      for (long at = 0; at < length; at += COPIED_AT_ONCE) {
        int count = (int) Math.min(COPIED_AT_ONCE, length - at);
        FloatPointer target = gradient.getPointer(at);
        part.getPointer(at).get(added, 0, count);
        target.get(sum, 0, count);
        for (int i = 0; i < count; i++) {
          sum[i] += added[i];
        }
        target.put(sum, 0, count);
      }
    }
  }

  private TrainingPass.Loss read(TrainingPass pass) {
    double[] both = new double[2];
    try (DoublePointer host = new DoublePointer(2)) {
      device.download(host.address(), sums, 2 * Double.BYTES);
      device.synchronize();
      host.get(both);
    }
    return loss(both[0], both[1], pass.objective(), pass.targets());
  }

  /**
   * @param penalties stale where the objective has none
   */
  static TrainingPass.Loss loss(double losses, double penalties, Objective objective, int targets) {
    double whole = losses + (objective.penalizes() ? penalties : 0);
    int count = Math.max(1, targets);
    return new TrainingPass.Loss(whole / count, losses / count);
  }

  /** Checks a batch that is trained on and sends it. */
  void send(TokenBatch batch, TrainingPass pass) {
    requireOpen();
    double dropout = adapters.map(a -> a.lora().dropout()).orElse(0.0);
    passes.send(batch, Pass.of(pass, batch, dropout));
  }

  /** Gradient of the batch that was sent; fp64 sums of losses go to {@code to}. */
  void gradients(long to) {
    passes.gradients(to);
  }

  @Override
  public TokenScores score(FloatPointer host, TokenBatch batch) {
    requireOpen();
    passes.send(batch, Pass.SCORING);
    upload(host);
    return passes.score(batch);
  }

  @Override
  public Decoder decoder(FloatPointer host, int maxLength) {
    requireOpen();
    if (maxLength < 1 || maxLength > config.contextLength()) {
      throw new IllegalArgumentException(
          "decoder: got a length of "
              + maxLength
              + " tokens, wanted 1 to "
              + config.contextLength()
              + " (model.max-position-embeddings)");
    }
    if (adapters.isPresent()) {
      throw new IllegalStateException(
          "decoder: got an engine beside a frozen base, wanted one of the merged model");
    }
    return new CudaDecoder(this, host, maxLength);
  }

  @Override
  public Optional<ResidentTraining> train(
      FloatPointer host, FloatPointer state, ResidentTraining.Recipe recipe) {
    requireOpen();
    if (resident == null) {
      resident = new CudaTraining(this);
    }
    kept = 0;
    resident.begin(host, state, recipe);
    return Optional.of(resident);
  }

  @Override
  public Kept keep(FloatPointer host) {
    kept = 0;
    upload(host);
    kept = DeviceParameters.addressOf(host);
    return () -> kept = 0;
  }

  /** The host's parameters become the device's; says by which number they go from now on. */
  long upload(FloatPointer host) {
    if (kept == DeviceParameters.addressOf(host)) {
      return generation;
    }
    kept = 0;
    DeviceParameters parameters = parameters();
    parameters.upload(host, parameters.masters());
    if (options.precision().half()) {
      kernels().toReal(parameters.copiesOrNull(), parameters.masters(), parameters.length());
    }
    return ++generation;
  }

  /** Number of the parameters that are on the device. */
  long generation() {
    return generation;
  }

  Device device() {
    return device;
  }

  Kernels kernels() {
    return model.kernels();
  }

  AttentionKernels attention() {
    return model.attention();
  }

  /** Floats of the host's parameters and gradient. */
  long trainedLength() {
    return adapters.map(TensorLayout::length).orElse(layout().length());
  }

  /** What is trained: all of the model, or what stands beside its frozen base. */
  DeviceParameters parameters() {
    return model.trained();
  }

  Linears linears() {
    return model.linears();
  }

  ParameterLayout layout() {
    return model.layout();
  }

  Precision precision() {
    return options.precision();
  }

  /** Bytes on the GPU by what they are for. */
  public Map<String, Long> memoryByPart() {
    return device.memoryByPart();
  }

  void requireOpen() {
    if (closed) {
      throw new IllegalStateException("engine: used after close(); open a new one");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      products.close();
      device.close();
    }
  }
}
