package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.Arrays;
import org.bytedeco.javacpp.FloatPointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.concurrency.AffinityManager.Location;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.ops.transforms.Transforms;

/**
 * The model in ND4J operations alone, written to be read: the oracle that every fast engine is held
 * against, in float or in double, and the path for ND4J's own backends. {@link Nd4jBlock} holds the
 * formulas of one block.
 */
public final class Nd4jEngine implements LlamaEngine {
  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final DataType type;

  public Nd4jEngine(LlamaConfig config) {
    this(config, DataType.FLOAT);
  }

  /**
   * @param type FLOAT, or DOUBLE for gradient checks through the methods that take INDArrays
   */
  public Nd4jEngine(LlamaConfig config, DataType type) {
    this.config = config;
    this.layout = new ParameterLayout(config);
    this.type = type;
  }

  @Override
  public LlamaConfig config() {
    return config;
  }

  /**
   * Forward and backward.
   *
   * @param parameters [layout.length()]
   * @param gradient [layout.length()] overwritten
   * @return mean cross entropy in nats over the batch's targets; 0 with a zero gradient without any
   */
  public double lossAndGradient(INDArray parameters, INDArray gradient, TokenBatch batch) {
    batch.requireFits(config);
    gradient.assign(0);
    int targets = batch.targetCount();
    if (targets == 0) {
      return 0;
    }
    Nd4jBlock[] blocks = blocks(parameters, batch.batch(), batch.seq());
    INDArray x = forward(parameters, batch.ids(), blocks);
    Nd4jNorm norm = new Nd4jNorm(tensor(parameters, layout.finalNorm()), config.normEps());
    INDArray h = norm.forward(x);
    INDArray head = tensor(parameters, layout.head());
    INDArray logProbabilities = logSoftmax(h.mmul(head.transpose()));
    double loss = 0;
    INDArray dLogits = Transforms.exp(logProbabilities).divi(targets);
    for (int row = 0; row < batch.targets().length; row++) {
      int target = batch.targets()[row];
      if (target == TokenBatch.IGNORED) {
        dLogits.getRow(row).assign(0);
      } else {
        loss -= logProbabilities.getDouble(row, target) / targets;
        dLogits.putScalar(row, target, dLogits.getDouble(row, target) - 1.0 / targets);
      }
    }
    tensor(gradient, layout.head()).addi(dLogits.transpose().mmul(h));
    INDArray dx = norm.backward(dLogits.mmul(head), tensor(gradient, layout.finalNorm()));
    for (int layer = blocks.length - 1; layer >= 0; layer--) {
      dx = blocks[layer].backward(dx, gradient);
    }
    INDArray dEmbedding = tensor(gradient, layout.embedding());
    for (int row = 0; row < batch.ids().length; row++) {
      dEmbedding.getRow(batch.ids()[row]).addi(dx.getRow(row));
    }
    return loss;
  }

  /** Logits [batch · seq, vocab] of every position. */
  public INDArray logits(INDArray parameters, int[] ids, int batch, int seq) {
    INDArray x = forward(parameters, ids, blocks(parameters, batch, seq));
    Nd4jNorm norm = new Nd4jNorm(tensor(parameters, layout.finalNorm()), config.normEps());
    return norm.forward(x).mmul(tensor(parameters, layout.head()).transpose());
  }

  private Nd4jBlock[] blocks(INDArray parameters, int batch, int seq) {
    Nd4jBlock[] blocks = new Nd4jBlock[config.layerCount()];
    for (int layer = 0; layer < blocks.length; layer++) {
      blocks[layer] = new Nd4jBlock(config, layout.block(layer), parameters, batch, seq);
    }
    return blocks;
  }

  /** The residual stream [batch · seq, hidden] after the last block. */
  private INDArray forward(INDArray parameters, int[] ids, Nd4jBlock[] blocks) {
    INDArray x = Nd4j.pullRows(tensor(parameters, layout.embedding()), 1, ids);
    for (Nd4jBlock block : blocks) {
      x = block.forward(x);
    }
    return x;
  }

  /** A tensor [rows, cols] as a view of a flat array. */
  static INDArray tensor(INDArray flat, Tensor t) {
    return flat.reshape(flat.length())
        .get(NDArrayIndex.interval(t.offset(), t.offset() + t.length()))
        .reshape('c', t.rows(), t.cols());
  }

  /** x − log Σ exp x, along each row. */
  private static INDArray logSoftmax(INDArray x) {
    INDArray shifted = x.subColumnVector(x.max(true, 1));
    INDArray sums = Transforms.exp(shifted).sum(true, 1);
    return shifted.subiColumnVector(Transforms.log(sums));
  }

  @Override
  public double lossAndGradient(FloatPointer parameters, FloatPointer gradient, TokenBatch batch) {
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      INDArray flat = Nd4j.createUninitialized(type, layout.length());
      double loss = lossAndGradient(read(parameters), flat, batch);
      INDArray floats = flat.castTo(DataType.FLOAT);
      Nd4j.getAffinityManager().ensureLocation(floats, Location.HOST);
      Buffer.copy(floats.data().address(), Weights.addressOf(gradient), layout.length());
      return loss;
    }
  }

  /** The parameters as an array of this engine's type. */
  private INDArray read(FloatPointer parameters) {
    INDArray flat = Nd4j.createUninitialized(DataType.FLOAT, layout.length());
    Buffer.copy(Weights.addressOf(parameters), flat.data().address(), layout.length());
    Nd4j.getAffinityManager().tagLocation(flat, Location.HOST);
    return flat.castTo(type);
  }

  @Override
  public TokenScores score(FloatPointer parameters, TokenBatch batch) {
    batch.requireFits(config);
    TokenScores scores =
        new TokenScores(new float[batch.ids().length], new boolean[batch.ids().length]);
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      INDArray logits = logits(read(parameters), batch.ids(), batch.batch(), batch.seq());
      INDArray logProbabilities = logSoftmax(logits);
      INDArray highest = logProbabilities.max(1);
      for (int row = 0; row < batch.targets().length; row++) {
        int target = batch.targets()[row];
        if (target != TokenBatch.IGNORED) {
          double value = logProbabilities.getDouble(row, target);
          scores.logProbability()[row] = (float) value;
          scores.greedy()[row] = value >= highest.getDouble(row);
        }
      }
    }
    return scores;
  }

  /** Decodes by a whole forward pass each time: what a cache must reproduce. */
  @Override
  public Decoder decoder(FloatPointer parameters, int maxLength) {
    return new FullDecoder(parameters, maxLength);
  }

  @Override
  public void close() {}

  private final class FullDecoder implements Decoder {
    private final FloatPointer parameters;
    private final int[] ids;
    private int length;

    FullDecoder(FloatPointer parameters, int maxLength) {
      this.parameters = parameters;
      this.ids = new int[maxLength];
    }

    @Override
    public float[] append(int... more) {
      if (more.length == 0 || length + more.length > ids.length) {
        throw new IllegalArgumentException(
            "decoder: got "
                + more.length
                + " tokens after "
                + length
                + ", wanted 1 to "
                + (ids.length - length)
                + "; start the decoder with a larger maximum length");
      }
      System.arraycopy(more, 0, ids, length, more.length);
      length += more.length;
      // Where angles depend on the length, they are those of the whole sequence from the start.
      int run = config.ropeScaling().dependsOnLength() ? ids.length : length;
      int[] seen = Arrays.copyOf(ids, run);
      int[] none = new int[run];
      Arrays.fill(none, TokenBatch.IGNORED);
      new TokenBatch(seen, none, 1, run).requireFits(config);
      try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
        return logits(read(parameters), seen, 1, run).getRow(length - 1).dup().toFloatVector();
      }
    }

    @Override
    public int length() {
      return length;
    }

    @Override
    public void close() {}
  }
}
