package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.Objective;

/**
 * Final norm, output matrix and cross entropy, with logits for one chunk of rows at a time. Where
 * many positions have no target (a chat's user turns), only rows that have one are taken.
 */
final class CudaHead {
  private final Device device;
  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final DeviceWeights weights;
  private final Kernels kernels;
  private final Linears linears;
  private final int realBytes;

  CudaHead(CudaModel model) {
    this.device = model.device();
    this.config = model.config();
    this.layout = model.layout();
    this.weights = model.weights();
    this.kernels = model.kernels();
    this.linears = model.linears();
    this.realBytes = model.precision().bytes();
  }

  /**
   * Writes the loss of each row, the head's gradient and the gradient of the last block's output;
   * clears the embedding's gradient when it is not the head's.
   *
   * @param sums receives the sum of the losses, and of what the objective has beside them; fp64
   */
  void lossAndGradient(CudaActivations a, BatchOnDevice batch, long sums) {
    Tensor matrix = layout.head();
    boolean adds = batch.pass().adds();
    normalize(a, batch);
    int rows = batch.headRows();
    for (int start = 0; start < rows; start += a.logitRows) {
      int count = Math.min(a.logitRows, rows - start);
      long normed = a.headNormed + (long) start * config.hiddenSize() * realBytes;
      long dNormed = a.dHeadNormed + (long) start * config.hiddenSize() * realBytes;
      linears.forward("logits", normed, matrix, a.logits, count, a.logitStride);
      loss(a, batch, start, count);
      linears.inputGradient(
          "logits, input gradient", a.logits, matrix, dNormed, count, a.logitStride);
      linears.weightGradient(
          "logits, gradient", a.logits, normed, matrix, count, a.logitStride, adds || start > 0);
    }
    kernels.sumAll(sums, a.rowLoss, rows, adds);
    if (batch.pass().objective().penalizes()) {
      kernels.sumAll(sums + Double.BYTES, a.rowPenalty, rows, adds);
    }
    normGradient(a, batch);
    Tensor embedding = layout.embedding();
    if (!config.tiedEmbeddings() && !adds && weights.trains(embedding)) {
      device.zero(weights.gradientOrNull(embedding), embedding.length() * Float.BYTES);
    }
  }

  /** Logits of a chunk's rows become their gradient. */
  private void loss(CudaActivations a, BatchOnDevice batch, int start, int rows) {
    long loss = a.rowLoss + (long) start * Float.BYTES;
    long penalty = a.rowPenalty + (long) start * Float.BYTES;
    long targets = batch.headTargets() + (long) start * Integer.BYTES;
    float scale = 1f / batch.pass().training().targets();
    Objective objective = batch.pass().objective();
    if (objective.penalizes()) {
      kernels.penalizedCrossEntropy(
          a.logits, loss, penalty, targets, rows, a.logitStride, scale, objective);
    } else {
      kernels.crossEntropy(a.logits, loss, targets, rows, a.logitStride, scale);
    }
  }

  /** Log-probability of each row's target and whether it has the highest logit. */
  void score(CudaActivations a, BatchOnDevice batch) {
    normalize(a, batch);
    int rows = batch.headRows();
    for (int start = 0; start < rows; start += a.logitRows) {
      int count = Math.min(a.logitRows, rows - start);
      long normed = a.headNormed + (long) start * config.hiddenSize() * realBytes;
      linears.forward("logits", normed, layout.head(), a.logits, count, a.logitStride);
      kernels.scoreRows(
          a.rowLoss + (long) start * Float.BYTES,
          a.greedy + (long) start * Integer.BYTES,
          a.logits,
          batch.headTargets() + (long) start * Integer.BYTES,
          count,
          a.logitStride);
    }
  }

  /** output = m + delta of the last block; normalized, all rows or those with a target. */
  private void normalize(CudaActivations a, BatchOnDevice batch) {
    CudaActivations.Block last = a.block(config.layerCount() - 1);
    long gain = weights.gain(layout.finalNorm());
    kernels.addRmsnorm(
        a.headNormed, a.headReciprocal, a.output, last.middle(), a.delta, gain, batch.tokens());
    if (batch.gathers()) {
      kernels.gatherRows(a.headInput, a.output, batch.targetRows(), batch.headRows());
      kernels.rmsnorm(a.headNormed, a.headReciprocal, a.headInput, gain, batch.headRows());
    }
  }

  private void normGradient(CudaActivations a, BatchOnDevice batch) {
    long elements = (long) batch.tokens() * config.hiddenSize();
    device.zero(a.dStream, elements * Float.BYTES);
    // Gathered rows' gradient is summed where m + delta is no longer needed.
    long dx = batch.gathers() ? a.output : a.dStream;
    long copy = batch.gathers() ? 0 : a.dStreamReal;
    if (batch.gathers()) {
      device.zero(dx, (long) batch.headRows() * config.hiddenSize() * Float.BYTES);
    }
    kernels.rmsnormBackward(
        dx,
        copy,
        a.gainPartials,
        a.dHeadNormed,
        batch.gathers() ? a.headInput : a.output,
        a.headReciprocal,
        weights.gain(layout.finalNorm()),
        weights.gradientOrNull(layout.finalNorm()),
        batch.pass().adds(),
        batch.headRows());
    if (batch.gathers()) {
      device.zero(a.dStreamReal, elements * realBytes);
      kernels.scatterRows(a.dStream, a.dStreamReal, dx, batch.targetRows(), batch.headRows());
    }
  }
}
