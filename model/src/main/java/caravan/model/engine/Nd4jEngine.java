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
    TrainingPass plain = TrainingPass.whole(Objective.PLAIN, 0, batch);
    return lossAndGradient(parameters, gradient, batch, plain).crossEntropy();
  }

  /** Forward and backward of what {@link LlamaEngine} calls a pass. */
  public TrainingPass.Loss lossAndGradient(
      INDArray parameters, INDArray gradient, TokenBatch batch, TrainingPass pass) {
    batch.requireFits(config);
    if (!pass.adds()) {
      gradient.assign(0);
    }
    if (batch.targetCount() == 0) {
      return TrainingPass.Loss.ZERO;
    }
    Nd4jBlock[] blocks = blocks(parameters, batch);
    Dropping dropping = Dropping.of(pass, batch);
    INDArray kept = kept(batch, dropping::embeddingFactor);
    for (int layer = 0; layer < blocks.length; layer++) {
      int half = 2 * layer;
      blocks[layer].keep(
          kept(batch, (row, column) -> dropping.branchFactor(half, row, column)),
          kept(batch, (row, column) -> dropping.branchFactor(half + 1, row, column)));
    }
    INDArray x = forward(parameters, batch.ids(), kept, blocks);
    Nd4jNorm norm = new Nd4jNorm(tensor(parameters, layout.finalNorm()), config.normEps());
    INDArray h = norm.forward(x);
    INDArray head = tensor(parameters, layout.head());
    INDArray logits = h.mmul(head.transpose());
    INDArray logProbabilities = logSoftmax(logits);
    INDArray dLogits = logProbabilities.ulike();
    TrainingPass.Loss loss =
        lossAndGradient(logits, logProbabilities, batch.targets(), pass, dLogits);
    tensor(gradient, layout.head()).addi(dLogits.transpose().mmul(h));
    INDArray dx = norm.backward(dLogits.mmul(head), tensor(gradient, layout.finalNorm()));
    for (int layer = blocks.length - 1; layer >= 0; layer--) {
      dx = blocks[layer].backward(dx, gradient);
    }
    dx.muli(kept);
    INDArray dEmbedding = tensor(gradient, layout.embedding());
    for (int row = 0; row < batch.ids().length; row++) {
      dEmbedding.getRow(batch.ids()[row]).addi(dx.getRow(row));
    }
    return loss;
  }

  /** {@link Objective}'s formula and its gradient, row by row. */
  private TrainingPass.Loss lossAndGradient(
      INDArray logits,
      INDArray logProbabilities,
      int[] targets,
      TrainingPass pass,
      INDArray dLogits) {
    double smoothing = pass.objective().labelSmoothing();
    double z = pass.objective().zLoss();
    TrainingPass.Loss loss = TrainingPass.Loss.ZERO;
    for (int row = 0; row < targets.length; row++) {
      INDArray dRow = dLogits.getRow(row);
      if (targets[row] == TokenBatch.IGNORED) {
        dRow.assign(0);
        continue;
      }
      INDArray logProbability = logProbabilities.getRow(row);
      double entropy = -logProbability.getDouble(targets[row]);
      double logSum = logits.getDouble(row, targets[row]) + entropy;
      double uniform = -logProbability.meanNumber().doubleValue();
      double objective = (1 - smoothing) * entropy + smoothing * uniform + z * logSum * logSum;
      loss = loss.plus(new TrainingPass.Loss(objective / pass.targets(), entropy / pass.targets()));
      dRow.assign(Transforms.exp(logProbability).muli(1 + 2 * z * logSum));
      dRow.subi(smoothing / config.vocabSize());
      dRow.putScalar(targets[row], dRow.getDouble(targets[row]) - (1 - smoothing));
      dRow.divi(pass.targets());
    }
    return loss;
  }

  /** What dropout multiplies a batch's rows [tokens, hidden] by. */
  private INDArray kept(TokenBatch batch, Factors factors) {
    double[][] values = new double[batch.ids().length][config.hiddenSize()];
    for (int row = 0; row < values.length; row++) {
      for (int column = 0; column < values[row].length; column++) {
        values[row][column] = factors.of(row, column);
      }
    }
    return Nd4j.createFromArray(values).castTo(type);
  }

  private interface Factors {
    double of(int row, int column);
  }

  /** Logits [batch · seq, vocab] of every position. */
  public INDArray logits(INDArray parameters, int[] ids, int batch, int seq) {
    return logits(parameters, new TokenBatch(ids, ids, batch, seq));
  }

  private INDArray logits(INDArray parameters, TokenBatch batch) {
    INDArray all = Nd4j.scalar(type, 1);
    INDArray x = forward(parameters, batch.ids(), all, blocks(parameters, batch));
    Nd4jNorm norm = new Nd4jNorm(tensor(parameters, layout.finalNorm()), config.normEps());
    return norm.forward(x).mmul(tensor(parameters, layout.head()).transpose());
  }

  private Nd4jBlock[] blocks(INDArray parameters, TokenBatch batch) {
    Nd4jBlock[] blocks = new Nd4jBlock[config.layerCount()];
    for (int layer = 0; layer < blocks.length; layer++) {
      blocks[layer] =
          new Nd4jBlock(
              config, layout.block(layer), parameters, batch.batch(), batch.seq(), batch.starts());
    }
    return blocks;
  }

  /** The residual stream [batch · seq, hidden] after the last block. */
  private INDArray forward(INDArray parameters, int[] ids, INDArray kept, Nd4jBlock[] blocks) {
    INDArray x = Nd4j.pullRows(tensor(parameters, layout.embedding()), 1, ids).mul(kept);
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
  public TrainingPass.Loss lossAndGradient(
      FloatPointer parameters, FloatPointer gradient, TokenBatch batch, TrainingPass pass) {
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      INDArray flat =
          pass.adds() ? read(gradient) : Nd4j.createUninitialized(type, layout.length());
      TrainingPass.Loss loss = lossAndGradient(read(parameters), flat, batch, pass);
      INDArray floats = flat.castTo(DataType.FLOAT);
      Nd4j.getAffinityManager().ensureLocation(floats, Location.HOST);
      Buffer.Address.copy(floats.data().address(), Weights.addressOf(gradient), layout.length());
      return loss;
    }
  }

  /** The parameters as an array of this engine's type. */
  private INDArray read(FloatPointer parameters) {
    INDArray flat = Nd4j.createUninitialized(DataType.FLOAT, layout.length());
    Buffer.Address.copy(Weights.addressOf(parameters), flat.data().address(), layout.length());
    Nd4j.getAffinityManager().tagLocation(flat, Location.HOST);
    return flat.castTo(type);
  }

  @Override
  public TokenScores score(FloatPointer parameters, TokenBatch batch) {
    batch.requireFits(config);
    TokenScores scores =
        new TokenScores(new float[batch.ids().length], new boolean[batch.ids().length]);
    try (MemoryWorkspace outside = Nd4j.getMemoryManager().scopeOutOfWorkspaces()) {
      INDArray logits = logits(read(parameters), batch);
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
