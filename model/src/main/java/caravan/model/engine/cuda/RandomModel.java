package caravan.model.engine.cuda;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.TokenBatch;
import java.util.Arrays;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/** Weights and batches of any size for measurements, from a seed. */
final class RandomModel {
  private RandomModel() {}

  static TokenBatch batch(LlamaConfig config, int batch, int seq, Random random) {
    return new TokenBatch(
        random.ints((long) batch * seq, 0, config.vocabSize()).toArray(),
        random.ints((long) batch * seq, 0, config.vocabSize()).toArray(),
        batch,
        seq);
  }

  static FloatPointer parameters(LlamaConfig config, long seed) {
    return parameters(config, seed, 0.02);
  }

  /** N(0, deviation) from a block of random numbers that is used again and again; gains 1. */
  static FloatPointer parameters(LlamaConfig config, long seed, double deviation) {
    ParameterLayout layout = new ParameterLayout(config);
    Random random = new Random(seed);
    float[] block = new float[(1 << 20) - 3];
    for (int i = 0; i < block.length; i++) {
      block[i] = (float) (deviation * random.nextGaussian());
    }
    float[] ones = new float[config.hiddenSize()];
    Arrays.fill(ones, 1f);
    FloatPointer values = new FloatPointer(layout.length());
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      float[] from = tensor.isNorm() ? ones : block;
      for (long at = 0; at < tensor.length(); at += from.length) {
        int count = (int) Math.min(from.length, tensor.length() - at);
        values.position(tensor.offset() + at).put(from, 0, count);
      }
    }
    return values.position(0);
  }

  /** Adapters with a B that is not zero, and the base's own values in what is trained in full. */
  static FloatPointer adapters(AdapterLayout layout, FloatPointer base, long seed) {
    Random random = new Random(seed);
    FloatPointer values = new FloatPointer(layout.length());
    for (long i = 0; i < layout.length(); i++) {
      values.put(i, (float) (0.1 * random.nextGaussian()));
    }
    layout
        .saved()
        .forEach(
            (model, own) -> {
              for (long i = 0; i < own.length(); i++) {
                values.put(own.offset() + i, base.get(model.offset() + i));
              }
            });
    return values;
  }

  /** Pages that nobody has written cost nothing. */
  static FloatPointer zeros(long length) {
    return new FloatPointer(Pointer.calloc(length, Float.BYTES));
  }
}
