package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.Arrays;
import java.util.Random;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Small models, parameters and batches, all from a seed. */
final class Examples {
  private Examples() {}

  /** A model of {@code heads} / {@code kvHeads} heads whose hidden size is not heads × headDim. */
  static LlamaConfig config(int heads, int kvHeads, int headDim, boolean tied) {
    return new LlamaConfig(
        heads * headDim + 5, 37, 2, heads, kvHeads, headDim, 61, 90, 10_000, 1e-5, tied);
  }

  /** Weights large enough that attention and gates leave their linear range; gains around 1. */
  static INDArray parameters(LlamaConfig config, DataType type, long seed) {
    ParameterLayout layout = new ParameterLayout(config);
    Random random = new Random(seed);
    double[] values = new double[(int) layout.length()];
    for (ParameterLayout.Tensor tensor : layout.tensors()) {
      for (int i = 0; i < tensor.length(); i++) {
        double normal = random.nextGaussian();
        values[(int) tensor.offset() + i] =
            tensor.isNorm() ? 1 + 0.3 * normal : normal / Math.sqrt(tensor.cols());
      }
    }
    return Nd4j.createFromArray(values).castTo(type);
  }

  /** Random ids and targets; every third target of the odd sequences is ignored. */
  static TokenBatch batch(LlamaConfig config, int batch, int seq, long seed) {
    Random random = new Random(seed);
    int[] ids = random.ints((long) batch * seq, 0, config.vocabSize()).toArray();
    int[] targets = random.ints((long) batch * seq, 0, config.vocabSize()).toArray();
    for (int i = 0; i < targets.length; i++) {
      if (i / seq % 2 == 1 && i % 3 == 0) {
        targets[i] = TokenBatch.IGNORED;
      }
    }
    return new TokenBatch(ids, targets, batch, seq);
  }

  /** The same ids without any target but the one at {@code position}. */
  static TokenBatch onlyTarget(TokenBatch batch, int position) {
    int[] targets = new int[batch.targets().length];
    Arrays.fill(targets, TokenBatch.IGNORED);
    targets[position] = batch.targets()[position];
    return new TokenBatch(batch.ids(), targets, batch.batch(), batch.seq());
  }
}
