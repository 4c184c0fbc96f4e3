package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.TokenBatch;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;

/** Small models, weights and batches, all from a seed. */
final class Toy {
  private Toy() {}

  static LlamaConfig config(int heads, int kvHeads, int headDim, int hidden, boolean tied) {
    return new LlamaConfig(hidden, 40, 2, heads, kvHeads, headDim, 61, 90, 10_000, 1e-5, tied);
  }

  /** Weights large enough that attention and gates leave their linear range; gains around 1. */
  static FloatPointer parameters(LlamaConfig config, long seed) {
    ParameterLayout layout = new ParameterLayout(config);
    Random random = new Random(seed);
    FloatPointer values = new FloatPointer(layout.length());
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      for (long i = 0; i < tensor.length(); i++) {
        double normal = random.nextGaussian();
        double value = tensor.isNorm() ? 1 + 0.3 * normal : normal / Math.sqrt(tensor.cols());
        values.put(tensor.offset() + i, (float) value);
      }
    }
    return values;
  }

  static FloatPointer zeros(long length) {
    FloatPointer values = new FloatPointer(length);
    for (long i = 0; i < length; i++) {
      values.put(i, 0);
    }
    return values;
  }

  static float[] values(FloatPointer pointer, long length) {
    float[] values = new float[(int) length];
    pointer.get(values);
    return values;
  }

  /**
   * @param ignored share of targets without a loss
   */
  static TokenBatch batch(LlamaConfig config, int batch, int seq, double ignored, long seed) {
    Random random = new Random(seed);
    int[] ids = random.ints((long) batch * seq, 0, config.vocabSize()).toArray();
    int[] targets = random.ints((long) batch * seq, 0, config.vocabSize()).toArray();
    for (int i = 0; i < targets.length; i++) {
      if (random.nextDouble() < ignored) {
        targets[i] = TokenBatch.IGNORED;
      }
    }
    return new TokenBatch(ids, targets, batch, seq);
  }

  /** ‖a − b‖ / ‖b‖ of one tensor. */
  static double difference(float[] a, float[] b, ParameterLayout.Tensor tensor) {
    double squares = 0;
    double norm = 1e-30;
    for (long i = tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
      double d = (double) a[(int) i] - b[(int) i];
      squares += d * d;
      norm += (double) b[(int) i] * b[(int) i];
    }
    return Math.sqrt(squares / norm);
  }
}
