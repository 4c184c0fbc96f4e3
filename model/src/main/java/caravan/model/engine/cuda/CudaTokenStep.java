package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * One token through the whole model, five kernels a block. What differs between tokens, the id and
 * its position, is read from memory: from the second token on the kernels are launched as one CUDA
 * graph, in which each begins to load its weights while the one before it ends.
 */
final class CudaTokenStep implements AutoCloseable {
  private final Device device;
  private final Kernels kernels;
  private final AttentionKernels attention;
  private final DeviceParameters parameters;
  private final ParameterLayout layout;
  private final LlamaConfig config;
  private final int maxLength;
  private final long[] cache;
  private final long angles;
  private final List<Long> owned = new ArrayList<>();
  private final long state;
  private final long stream;
  private final long qkv;
  private final long attended;
  private final long activated;
  private final long shares;
  private final long logits;
  private final long candidates;

  /** {id, position} for the GPU to read, and the best id for it to write. */
  private final ByteBuffer next;

  private final ByteBuffer best;
  private long toLogits;
  private long toBest;
  private boolean ran;

  /**
   * @param cache per layer real [maxLength, 2 · kvDim]
   */
  CudaTokenStep(CudaEngine engine, long[] cache, Angles angles, int maxLength) {
    this.device = engine.device();
    this.kernels = engine.kernels();
    this.attention = engine.attention();
    this.parameters = engine.parameters();
    this.layout = engine.layout();
    this.config = layout.config();
    this.maxLength = maxLength;
    this.cache = cache;
    this.angles = angles.table();
    try {
      state = own(2L * Integer.BYTES);
      stream = own((long) config.hiddenSize() * Float.BYTES);
      qkv = own((long) config.qkvDim() * engine.precision().bytes());
      attended = own((long) config.queryDim() * Float.BYTES);
      activated = own((long) config.intermediateSize() * Float.BYTES);
      logits = own((long) config.vocabSize() * Float.BYTES);
      shares = own(attention.scratchBytes(maxLength));
      candidates = own(Kernels.ARGMAX_BYTES);
      device.zero(shares, attention.scratchBytes(maxLength));
      device.zero(candidates, Kernels.ARGMAX_BYTES);
    } catch (CudaException e) {
      owned.forEach(device::free);
      throw e;
    }
    next = device.allocateHost(2L * Integer.BYTES);
    best = device.allocateHost(Integer.BYTES);
  }

  private long own(long bytes) {
    long address = device.allocate("decoder", bytes);
    owned.add(address);
    return address;
  }

  /** fp32 [vocabSize] of the last token. */
  long logits() {
    return logits;
  }

  /** Leaves the logits of what follows a token; the step before must have been waited for. */
  void run(int id, int position) {
    next.putInt(0, id).putInt(Integer.BYTES, position);
    if (toLogits == 0 && ran) {
      toLogits = device.graph(this::launch);
    }
    runOrLaunch(toLogits, this::launch);
  }

  /** As {@link #run}, and {@link #best} of the logits. */
  void runToBest(int id, int position) {
    next.putInt(0, id).putInt(Integer.BYTES, position);
    if (toBest == 0 && ran) {
      toBest = device.graph(this::launchToBest);
    }
    runOrLaunch(toBest, this::launchToBest);
  }

  private void runOrLaunch(long graph, Runnable kernelsOfIt) {
    if (graph == 0) {
      kernelsOfIt.run();
    } else {
      device.launchGraph(graph);
    }
    ran = true;
  }

  /** Logits of a row of the stream, after a prompt. */
  void logitsOf(long row) {
    long gain = parameters.master(layout.finalNorm());
    kernels.normGemv(logits, 0, parameters.weights(layout.head()), row, gain, config.vocabSize());
  }

  /** Chooses the best of the logits that are there. */
  void choose() {
    kernels.argmax(Driver.addressOf(best), candidates, logits);
  }

  /** The id with the highest logit once the GPU was waited for; -1 where one is not finite. */
  int best() {
    return best.getInt(0);
  }

  private void launchToBest() {
    launch();
    choose();
  }

  private void launch() {
    long embedding = parameters.weights(layout.embedding());
    kernels.embedNext(stream, state, Driver.addressOf(next), embedding);
    for (int layer = 0; layer < config.layerCount(); layer++) {
      ParameterLayout.Block w = layout.block(layer);
      long gain = parameters.master(w.attentionNorm());
      kernels.normGemv(0, qkv, parameters.weights(w.qkv()), stream, gain, w.qkv().rows());
      attention.decode(attended, shares, qkv, cache[layer], angles, state, maxLength);
      add(w.attentionOutput(), attended);
      gain = parameters.master(w.mlpNorm());
      kernels.normGemvSwiglu(activated, parameters.weights(w.gateUp()), stream, gain);
      add(w.down(), activated);
    }
    logitsOf(stream);
  }

  private void add(ParameterLayout.Tensor w, long x) {
    kernels.addGemv(stream, parameters.weights(w), x, w.rows(), w.cols());
  }

  /** The GPU must have been waited for. */
  @Override
  public void close() {
    device.freeGraph(toLogits);
    device.freeGraph(toBest);
    owned.forEach(device::free);
    device.freeHost(next);
    device.freeHost(best);
  }
}
