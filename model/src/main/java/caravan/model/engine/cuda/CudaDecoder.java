package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.LlamaEngine;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Incremental decoding with a key/value cache on the GPU. A prompt goes through in chunks as matrix
 * products; a single token as {@link CudaTokenStep} does, which reads every weight once.
 */
final class CudaDecoder implements LlamaEngine.Decoder {
  private static final int CHUNK = 512;

  private final CudaEngine engine;
  private final Device device;
  private final Kernels kernels;
  private final AttentionKernels attention;
  private final DeviceParameters parameters;
  private final ParameterLayout layout;
  private final LlamaConfig config;
  private final FloatPointer host;
  private final int maxLength;
  private final int realBytes;
  private final Angles angles;
  private final List<Long> owned = new ArrayList<>();

  /** Per layer real [maxLength, 2 · kvDim]: turned keys, then values. */
  private final long[] cache;

  private final long ids;
  private final long stream;
  private final long normed;
  private final long reciprocal;
  private final long qkv;
  private final long logSums;
  private final long attended;
  private final long delta;
  private final long gateUp;
  private final long activated;
  private final CudaTokenStep token;
  private final ByteBuffer hostIds;
  private final ByteBuffer hostLogits;
  private final float[] result;
  private long generation;
  private int length;
  private boolean closed;

  CudaDecoder(CudaEngine engine, FloatPointer host, int maxLength) {
    this.engine = engine;
    this.device = engine.device();
    this.kernels = engine.kernels();
    this.attention = engine.attention();
    this.parameters = engine.parameters();
    this.layout = engine.layout();
    this.config = layout.config();
    this.host = host;
    this.maxLength = maxLength;
    this.realBytes = engine.precision().bytes();
    int rows = Math.min(CHUNK, maxLength);
    int hidden = config.hiddenSize();
    cache = new long[config.layerCount()];
    try {
      for (int l = 0; l < cache.length; l++) {
        cache[l] = own("key/value cache", (long) maxLength * 2 * config.kvDim() * realBytes);
      }
      ids = own("decoder", (long) rows * Integer.BYTES);
      stream = own("decoder", (long) rows * hidden * Float.BYTES);
      normed = own("decoder", (long) rows * hidden * realBytes);
      reciprocal = own("decoder", (long) rows * Float.BYTES);
      qkv = own("decoder", (long) rows * config.qkvDim() * realBytes);
      logSums = own("decoder", (long) rows * config.headCount() * Float.BYTES);
      attended = own("decoder", (long) rows * config.queryDim() * realBytes);
      delta = own("decoder", (long) rows * hidden * realBytes);
      gateUp = own("decoder", (long) rows * 2 * config.intermediateSize() * realBytes);
      activated = own("decoder", (long) rows * config.intermediateSize() * realBytes);
      angles = new Angles(device, config, maxLength);
    } catch (CudaException e) {
      owned.forEach(device::free);
      throw e;
    }
    try {
      token = new CudaTokenStep(engine, cache, angles, maxLength);
    } catch (CudaException e) {
      angles.close();
      owned.forEach(device::free);
      throw e;
    }
    hostIds = device.allocateHost((long) rows * Integer.BYTES);
    hostLogits = device.allocateHost((long) config.vocabSize() * Float.BYTES);
    result = new float[config.vocabSize()];
    generation = engine.upload(host);
  }

  private long own(String what, long bytes) {
    long address = device.allocate(what, bytes);
    owned.add(address);
    return address;
  }

  @Override
  public int length() {
    return length;
  }

  @Override
  public float[] append(int... tokens) {
    through(tokens, false);
    long bytes = (long) config.vocabSize() * Float.BYTES;
    device.download(Driver.addressOf(hostLogits), token.logits(), bytes);
    device.synchronize();
    hostLogits.asFloatBuffer().get(0, result);
    return result;
  }

  @Override
  public int best(int... tokens) {
    through(tokens, true);
    device.synchronize();
    return token.best();
  }

  /** Leaves the logits after the last token on the GPU, or also the best id where it is wanted. */
  private void through(int[] tokens, boolean choose) {
    requireRoom(tokens);
    requireInVocabulary(tokens);
    if (generation != engine.generation()) {
      generation = engine.upload(host);
    }
    if (tokens.length == 1) {
      if (choose) {
        token.runToBest(tokens[0], length);
      } else {
        token.run(tokens[0], length);
      }
      length++;
      return;
    }
    int rows = 0;
    for (int start = 0; start < tokens.length; start += CHUNK) {
      // This chunk's ids go where the last one's are read from.
      device.synchronize();
      rows = Math.min(CHUNK, tokens.length - start);
      hostIds.asIntBuffer().put(0, tokens, start, rows);
      device.upload(ids, Driver.addressOf(hostIds), (long) rows * Integer.BYTES);
      prompt(rows);
      length += rows;
    }
    token.logitsOf(stream + (rows - 1L) * config.hiddenSize() * Float.BYTES);
    if (choose) {
      token.choose();
    }
  }

  private void requireRoom(int[] tokens) {
    engine.requireOpen();
    if (closed) {
      throw new IllegalStateException("decoder: used after close(); start a new one");
    }
    if (tokens.length == 0 || length + tokens.length > maxLength) {
      throw new IllegalArgumentException(
          "decoder: got "
              + tokens.length
              + " tokens after "
              + length
              + ", wanted 1 to "
              + (maxLength - length)
              + "; start the decoder with a larger maximum length");
    }
  }

  private void requireInVocabulary(int[] tokens) {
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] < 0 || tokens[i] >= config.vocabSize()) {
        throw new IllegalArgumentException(
            "token at position "
                + (length + i)
                + ": got id "
                + tokens[i]
                + ", wanted 0 to "
                + (config.vocabSize() - 1)
                + " (model.vocab-size); use the tokenizer this model was made for");
      }
    }
  }

  private void prompt(int rows) {
    Linears linears = engine.linears();
    kernels.embed(stream, parameters.weights(layout.embedding()), ids, rows);
    for (int layer = 0; layer < config.layerCount(); layer++) {
      ParameterLayout.Block w = layout.block(layer);
      norm(stream, w.attentionNorm(), rows);
      linears.forward("qkv", normed, w.qkv(), qkv, rows);
      kernels.ropeCache(qkv, cache[layer], angles.table(), rows, length);
      attention.prompt(attended, logSums, qkv, cache[layer], rows, length + rows);
      linears.forward("attention output", attended, w.attentionOutput(), delta, rows);
      long gain = parameters.master(w.mlpNorm());
      kernels.addRmsnorm(normed, reciprocal, stream, stream, delta, gain, rows);
      linears.forward("gate and up", normed, w.gateUp(), gateUp, rows);
      kernels.swiglu(activated, gateUp, rows);
      linears.forward("down", activated, w.down(), delta, rows);
      kernels.accumulateReal(stream, delta, (long) rows * config.hiddenSize());
    }
  }

  private void norm(long x, Tensor gain, int rows) {
    kernels.rmsnorm(normed, reciprocal, x, parameters.master(gain), rows);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      device.synchronize();
      token.close();
      owned.forEach(device::free);
      angles.close();
      device.freeHost(hostIds);
      device.freeHost(hostLogits);
    }
  }
}
