package caravan.model.engine;

import static caravan.model.engine.Nd4jEngine.tensor;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.ops.transforms.Transforms;

/**
 * One block in ND4J operations: {@link Blocks}' formulas, a head of a sequence at a time. Remembers
 * one forward pass for the backward pass. {@code tokens} = batch · seq rows.
 */
final class Nd4jBlock {
  private final LlamaConfig config;
  private final ParameterLayout.Block layout;
  private final int batch;
  private final int seq;
  private final INDArray wQkv;
  private final INDArray wOut;
  private final INDArray wGateUp;
  private final INDArray wDown;
  private final Nd4jNorm attentionNorm;
  private final Nd4jNorm mlpNorm;

  /** [tokens, headDim] cos and sin of each row's position, both halves alike. */
  private final INDArray cos;

  private final INDArray sin;

  /** [seq, seq] per row of the batch: 0 where a query may look, −∞ elsewhere. */
  private final INDArray[] masks;

  /** [tokens, hidden] what dropout multiplies the two halves' contributions by, or 1. */
  private INDArray attentionKept;

  private INDArray feedForwardKept;

  private INDArray a;
  private INDArray qkv;
  private INDArray[] probabilities;
  private INDArray attended;
  private INDArray h;
  private INDArray gateUp;
  private INDArray activated;

  /**
   * @param starts as in {@link TokenBatch}
   */
  Nd4jBlock(
      LlamaConfig config,
      ParameterLayout.Block layout,
      INDArray parameters,
      int batch,
      int seq,
      int[] starts) {
    this.config = config;
    this.layout = layout;
    this.batch = batch;
    this.seq = seq;
    wQkv = tensor(parameters, layout.qkv());
    wOut = tensor(parameters, layout.attentionOutput());
    wGateUp = tensor(parameters, layout.gateUp());
    wDown = tensor(parameters, layout.down());
    attentionNorm = new Nd4jNorm(tensor(parameters, layout.attentionNorm()), config.normEps());
    mlpNorm = new Nd4jNorm(tensor(parameters, layout.mlpNorm()), config.normEps());
    double[][] angles = new double[batch * seq][config.headDim()];
    double[] frequencies = config.rotaryFrequencies(seq);
    for (int row = 0; row < angles.length; row++) {
      for (int i = 0; i < config.headDim(); i++) {
        angles[row][i] = row % seq * frequencies[i % (config.headDim() / 2)];
      }
    }
    INDArray exact = Nd4j.createFromArray(angles);
    cos = Transforms.cos(exact).castTo(parameters.dataType());
    sin = Transforms.sin(exact).castTo(parameters.dataType());
    masks = new INDArray[batch];
    for (int row = 0; row < batch; row++) {
      double[][] hidden = new double[seq][seq];
      for (int i = 0; i < seq; i++) {
        int start = starts.length == 0 ? 0 : starts[row * seq + i];
        for (int j = 0; j < seq; j++) {
          hidden[i][j] = j < start || j > i ? Double.NEGATIVE_INFINITY : 0;
        }
      }
      masks[row] = Nd4j.createFromArray(hidden).castTo(parameters.dataType());
    }
    INDArray all = Nd4j.scalar(parameters.dataType(), 1);
    keep(all, all);
  }

  /** What the next passes multiply the contributions of attention and feed-forward by. */
  void keep(INDArray attention, INDArray feedForward) {
    attentionKept = attention;
    feedForwardKept = feedForward;
  }

  /** [tokens, hidden] → [tokens, hidden]. */
  INDArray forward(INDArray x) {
    a = attentionNorm.forward(x);
    qkv = a.mmul(wQkv.transpose());
    for (int head = 0; head < config.headCount() + config.kvHeadCount(); head++) {
      INDArray turned = rotate(qkv, head, sin);
      head(qkv, head).assign(turned);
    }
    attended = Nd4j.create(x.dataType(), x.size(0), config.queryDim());
    probabilities = new INDArray[batch * config.headCount()];
    for (int i = 0; i < probabilities.length; i++) {
      int sequence = i / config.headCount();
      int query = i % config.headCount();
      INDArray scores =
          slice(qkv, sequence, query).mmul(slice(qkv, sequence, key(query)).transpose());
      probabilities[i] = softmax(scores.muli(scale()).addi(masks[sequence]));
      slice(attended, sequence, query)
          .assign(probabilities[i].mmul(slice(qkv, sequence, value(query))));
    }
    INDArray middle = x.add(attended.mmul(wOut.transpose()).mul(attentionKept));
    h = mlpNorm.forward(middle);
    gateUp = h.mmul(wGateUp.transpose());
    activated = silu(gate(gateUp)).muli(up(gateUp));
    return middle.add(activated.mmul(wDown.transpose()).mul(feedForwardKept));
  }

  /** dOutput [tokens, hidden] → dInput; adds this block's gradients to the flat one. */
  INDArray backward(INDArray dOutput, INDArray gradient) {
    INDArray dDown = dOutput.mul(feedForwardKept);
    INDArray dActivated = dDown.mmul(wDown);
    tensor(gradient, layout.down()).addi(dDown.transpose().mmul(activated));
    INDArray dGateUp = Nd4j.create(gateUp.dataType(), gateUp.shape());
    up(dGateUp).assign(dActivated.mul(silu(gate(gateUp))));
    gate(dGateUp).assign(dActivated.mul(up(gateUp)).muli(siluSlope(gate(gateUp))));
    tensor(gradient, layout.gateUp()).addi(dGateUp.transpose().mmul(h));
    INDArray dMiddle =
        mlpNorm.backward(dGateUp.mmul(wGateUp), tensor(gradient, layout.mlpNorm())).addi(dOutput);

    INDArray dOut = dMiddle.mul(attentionKept);
    tensor(gradient, layout.attentionOutput()).addi(dOut.transpose().mmul(attended));
    INDArray dQkv = attentionGradient(dOut.mmul(wOut));
    tensor(gradient, layout.qkv()).addi(dQkv.transpose().mmul(a));
    return attentionNorm
        .backward(dQkv.mmul(wQkv), tensor(gradient, layout.attentionNorm()))
        .addi(dMiddle);
  }

  /** dAttended [tokens, queryDim] → dQkv [tokens, qkvDim]. */
  private INDArray attentionGradient(INDArray dAttended) {
    INDArray dQkv = Nd4j.create(qkv.dataType(), qkv.shape());
    for (int i = 0; i < probabilities.length; i++) {
      int sequence = i / config.headCount();
      int query = i % config.headCount();
      INDArray p = probabilities[i];
      INDArray dOut = slice(dAttended, sequence, query);
      slice(dQkv, sequence, value(query)).addi(p.transpose().mmul(dOut));
      INDArray dP = dOut.mmul(slice(qkv, sequence, value(query)).transpose());
      INDArray dot = dP.mul(p).sum(true, 1);
      INDArray dS = dP.subiColumnVector(dot).muli(p).muli(scale());
      slice(dQkv, sequence, query).assign(dS.mmul(slice(qkv, sequence, key(query))));
      slice(dQkv, sequence, key(query)).addi(dS.transpose().mmul(slice(qkv, sequence, query)));
    }
    for (int head = 0; head < config.headCount() + config.kvHeadCount(); head++) {
      INDArray turnedBack = rotate(dQkv, head, sin.neg());
      head(dQkv, head).assign(turnedBack);
    }
    return dQkv;
  }

  /** (a, b) → (a cos − b sin, b cos + a sin) for the halves a, b of one head [tokens, headDim]. */
  private INDArray rotate(INDArray rows, int head, INDArray sines) {
    int half = config.headDim() / 2;
    int at = head * config.headDim();
    INDArray first = columns(rows, at, at + half);
    INDArray second = columns(rows, at + half, at + 2 * half);
    return head(rows, head).mul(cos).addi(Nd4j.hstack(second.neg(), first).muli(sines));
  }

  private static INDArray softmax(INDArray scores) {
    INDArray e = Transforms.exp(scores.subColumnVector(scores.max(true, 1)));
    return e.diviColumnVector(e.sum(true, 1));
  }

  /** z · σ(z). */
  private static INDArray silu(INDArray z) {
    return sigmoid(z).muli(z);
  }

  /** σ(z) + z · σ(z) · (1 − σ(z)). */
  private static INDArray siluSlope(INDArray z) {
    INDArray s = sigmoid(z);
    return s.add(z.mul(s).muli(s.rsub(1)));
  }

  private static INDArray sigmoid(INDArray z) {
    return Transforms.exp(z.neg()).addi(1).rdivi(1);
  }

  private double scale() {
    return 1 / Math.sqrt(config.headDim());
  }

  private int key(int query) {
    return config.headCount() + query / (config.headCount() / config.kvHeadCount());
  }

  private int value(int query) {
    return key(query) + config.kvHeadCount();
  }

  /** One head's columns, all tokens. */
  private INDArray head(INDArray rows, int head) {
    return columns(rows, head * config.headDim(), (head + 1) * config.headDim());
  }

  /** One head's columns of one sequence: [seq, headDim]. */
  private INDArray slice(INDArray rows, int sequence, int head) {
    return view(
        rows,
        sequence * seq,
        (sequence + 1) * seq,
        head * config.headDim(),
        (head + 1) * config.headDim());
  }

  private INDArray gate(INDArray gateUp) {
    return columns(gateUp, 0, config.intermediateSize());
  }

  private INDArray up(INDArray gateUp) {
    return columns(gateUp, config.intermediateSize(), 2 * config.intermediateSize());
  }

  private static INDArray columns(INDArray rows, int from, int to) {
    return view(rows, 0, (int) rows.size(0), from, to);
  }

  /** A view of a whole array; ND4J 1.0.0-M2.1 returns nothing for some views of views. */
  private static INDArray view(INDArray rows, int fromRow, int toRow, int from, int to) {
    return rows.get(NDArrayIndex.interval(fromRow, toRow), NDArrayIndex.interval(from, to));
  }
}
