package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.ResidentTraining;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;

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
  private final ParameterLayout layout;
  private final Device device;
  private final Products products;
  private final Kernels kernels;
  private final AttentionKernels attention;
  private final DeviceParameters parameters;
  private final Linears linears;
  private final CudaBlocks blocks;
  private final CudaHead head;
  private final long total;
  private Angles angles;
  private BatchOnDevice batches;
  private CudaActivations training;
  private CudaActivations scoring;
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
    this.config = config;
    this.options = options;
    this.layout = new ParameterLayout(config);
    this.device = Device.open(options.device());
    try {
      byte[] image =
          KernelImage.of(device.capability(), options.precision(), Driver.driverVersion());
      products = new Products(device, options.precision());
      kernels = new Kernels(device, image, config);
      attention =
          new AttentionKernels(kernels.launch(), config, options.precision(), device.capability());
      parameters = new DeviceParameters(device, options.precision(), layout);
      linears = new Linears(products, parameters);
      blocks = new CudaBlocks(layout, parameters, kernels, attention, linears, options.recompute());
      head = new CudaHead(device, options.precision(), layout, parameters, kernels, linears);
      total = device.allocate("results", Double.BYTES);
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
  }

  @Override
  public LlamaConfig config() {
    return config;
  }

  @Override
  public TrainingPass.Loss lossAndGradient(
      FloatPointer host, FloatPointer gradient, TokenBatch batch, TrainingPass pass) {
    requirePlain(pass);
    send(batch);
    upload(host);
    gradients(batch, total);
    if (batch.targetCount() == pass.targets() && !pass.adds()) {
      parameters.download(gradient, parameters.gradients());
    } else {
      downloadPart(gradient, (float) batch.targetCount() / Math.max(1, pass.targets()), pass);
    }
    double mean = readTotal() / Math.max(1, pass.targets());
    return new TrainingPass.Loss(mean, mean);
  }

  /** gradient = share · what is on the device (+ gradient). */
  private void downloadPart(FloatPointer gradient, float share, TrainingPass pass) {
    try (FloatPointer part = new FloatPointer(layout.length())) {
      parameters.download(part, parameters.gradients());
      device.synchronize();
      float[] sum = new float[COPIED_AT_ONCE];
      float[] added = new float[COPIED_AT_ONCE];
      for (long at = 0; at < layout.length(); at += COPIED_AT_ONCE) {
        int count = (int) Math.min(COPIED_AT_ONCE, layout.length() - at);
        FloatPointer target = gradient.getPointer(at);
        part.getPointer(at).get(added, 0, count);
        if (pass.adds()) {
          target.get(sum, 0, count);
        }
        for (int i = 0; i < count; i++) {
          sum[i] = (pass.adds() ? sum[i] : 0) + share * added[i];
        }
        target.put(sum, 0, count);
      }
    }
  }

  /**
   * @throws IllegalArgumentException for a pass that this engine does not offer
   */
  private static void requirePlain(TrainingPass pass) {
    if (pass.objective().penalizes() || pass.objective().drops()) {
      throw new IllegalArgumentException(
          "train.engine: got cuda with z-loss, label smoothing or dropout, wanted engine=cpu for"
              + " these");
    }
  }

  /** Forward and backward on what is on the device; the sum of losses goes to {@code sum}. */
  void gradients(TokenBatch batch, long sum) {
    CudaActivations a = training(batch.ids().length);
    if (batches.targetCount() == 0) {
      device.zero(parameters.gradients(), parameters.length() * Float.BYTES);
      device.zero(sum, Double.BYTES);
    } else {
      blocks.forward(a, batches);
      head.lossAndGradient(a, batches, sum);
      blocks.backward(a, batches);
    }
    batches.done();
  }

  @Override
  public TokenScores score(FloatPointer host, TokenBatch batch) {
    send(batch);
    upload(host);
    int tokens = batch.ids().length;
    TokenScores scores = new TokenScores(new float[tokens], new boolean[tokens]);
    if (batches.targetCount() > 0) {
      CudaActivations a = scoring(tokens);
      blocks.forward(a, batches);
      head.score(a, batches);
      read(a, batch, scores);
    }
    batches.done();
    return scores;
  }

  private void read(CudaActivations a, TokenBatch batch, TokenScores scores) {
    int rows = batches.headRows();
    try (FloatPointer logProbability = new FloatPointer(rows);
        IntPointer greedy = new IntPointer(rows)) {
      device.download(logProbability.address(), a.rowLoss, (long) rows * Float.BYTES);
      device.download(greedy.address(), a.greedy, (long) rows * Integer.BYTES);
      device.synchronize();
      for (int position = 0, row = 0; position < batch.targets().length; position++) {
        boolean counts = batch.targets()[position] != TokenBatch.IGNORED;
        if (counts) {
          scores.logProbability()[position] = logProbability.get(row);
          scores.greedy()[position] = greedy.get(row) != 0;
        }
        row += counts || !batches.gathers() ? 1 : 0;
      }
    }
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
    return new CudaDecoder(this, host, maxLength);
  }

  @Override
  public Optional<ResidentTraining> train(
      FloatPointer host, FloatPointer first, FloatPointer second, ResidentTraining.Optimizer adam) {
    requireOpen();
    if (resident == null) {
      resident = new CudaTraining(this);
    }
    kept = 0;
    resident.begin(host, first, second, adam);
    return Optional.of(resident);
  }

  @Override
  public Kept keep(FloatPointer host) {
    kept = 0;
    upload(host);
    kept = addressOf(host);
    return () -> kept = 0;
  }

  /** Checks a batch and sends it, with the angles of its positions. */
  void send(TokenBatch batch) {
    requireOpen();
    batch.requireFits(config);
    if (angles == null || !angles.suits(batch.seq())) {
      if (angles != null) {
        device.synchronize();
        angles.close();
        angles = null;
      }
      angles = new Angles(device, config, batch.seq());
    }
    if (batches == null || !batches.holds(batch.ids().length)) {
      if (batches != null) {
        device.synchronize();
        batches.close();
        batches = null;
      }
      batches = new BatchOnDevice(device, config.vocabSize(), batch.ids().length);
    }
    batches.send(batch, angles.table());
  }

  /** The host's parameters become the device's; says by which number they go from now on. */
  long upload(FloatPointer host) {
    if (kept == addressOf(host)) {
      return generation;
    }
    kept = 0;
    parameters.upload(host, parameters.masters());
    if (options.precision().half()) {
      kernels.toReal(parameters.copiesOrNull(), parameters.masters(), parameters.length());
    }
    return ++generation;
  }

  private static long addressOf(FloatPointer pointer) {
    return DeviceParameters.addressOf(pointer);
  }

  /** Number of the parameters that are on the device. */
  long generation() {
    return generation;
  }

  private double readTotal() {
    try (DoublePointer sum = new DoublePointer(1)) {
      device.download(sum.address(), total, Double.BYTES);
      device.synchronize();
      return sum.get();
    }
  }

  private CudaActivations training(int tokens) {
    if (training == null || !training.holds(tokens)) {
      close(training);
      training = null;
      training = activations(tokens, true);
    }
    return training;
  }

  private CudaActivations scoring(int tokens) {
    if (scoring == null || !scoring.holds(tokens)) {
      close(scoring);
      scoring = null;
      scoring = activations(tokens, false);
    }
    return scoring;
  }

  private CudaActivations activations(int tokens, boolean backward) {
    return new CudaActivations(
        device, options.precision(), config, tokens, backward, options.recompute());
  }

  private void close(CudaActivations activations) {
    if (activations != null) {
      device.synchronize();
      activations.close();
    }
  }

  Device device() {
    return device;
  }

  Kernels kernels() {
    return kernels;
  }

  AttentionKernels attention() {
    return attention;
  }

  DeviceParameters parameters() {
    return parameters;
  }

  Linears linears() {
    return linears;
  }

  ParameterLayout layout() {
    return layout;
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
