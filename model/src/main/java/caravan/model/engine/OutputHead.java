package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.LlamaEngine.TokenScores;
import caravan.model.engine.Phases.Phase;

/**
 * Final norm, output matrix and cross entropy, over the rows that have a target only, and with
 * logits for one chunk of them at a time: full logits would be the largest buffer of all.
 *
 * <p>Every method is run by all workers at once; within a chunk they share out its rows, for the
 * matrix's gradient its vocabulary.
 */
final class OutputHead {
  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final Tensor matrix;

  OutputHead(ParameterLayout layout) {
    this.layout = layout;
    this.config = layout.config();
    this.matrix = layout.head();
  }

  /**
   * Adds each target's loss to its worker's, overwrites the head's gradient, clears the rest of the
   * embedding's, and leaves the gradient of the last block's output in {@code a.dOutput}.
   */
  void lossAndGradient(
      Worker worker,
      Weights weights,
      Weights gradient,
      Activations a,
      TokenBatch batch,
      int targets,
      TrainingPass pass) {
    worker.loss = 0;
    worker.penalty = 0;
    Buffer.zero(worker.gainGradients.address(0), worker.gainGradients.length());
    normalize(worker, weights, a, targets);
    worker.phases.end(Phase.NORM);
    for (int start = 0; start < targets; start += a.logitRows) {
      int rows = Math.min(a.logitRows, targets - start);
      int from = worker.from(rows);
      int to = worker.to(rows);
      logits(worker, weights, a, start, from, to);
      worker.phases.end(Phase.HEAD);
      for (int row = from; row < to; row++) {
        int target = batch.targets()[a.targetRows[start + row]];
        rowGradient(worker, a, row, target, pass);
      }
      worker.gemm.round(a.logits, (long) from * a.logitStride, (long) to * a.logitStride);
      worker.phases.end(Phase.CROSS_ENTROPY);
      inputGradient(worker, weights, a, start, from, to);
      worker.phases.end(Phase.HEAD);
      worker.barrier();
      if (gradient.has(matrix)) {
        matrixGradient(worker, gradient, a, start, rows);
      }
      worker.phases.end(Phase.HEAD);
      worker.barrier();
    }
    normGradient(worker, weights, a, batch, targets);
    worker.phases.end(Phase.NORM);
    if (!config.tiedEmbeddings() && !pass.adds() && gradient.has(layout.embedding())) {
      clearEmbedding(worker, gradient);
    }
  }

  private void rowGradient(Worker worker, Activations a, int row, int target, TrainingPass pass) {
    int at = row * a.logitStride;
    float weight = 1f / pass.targets();
    if (pass.objective().penalizes()) {
      worker.loss -= CrossEntropy.logProbability(a.logits, at, config.vocabSize(), target);
      worker.penalty +=
          PenalizedCrossEntropy.penaltyAndGradient(
              a.logits, at, config.vocabSize(), target, weight, pass.objective());
    } else {
      worker.loss += CrossEntropy.lossAndGradient(a.logits, at, config.vocabSize(), target, weight);
    }
  }

  /** Log-probability of each target and whether it has the highest logit. */
  void score(
      Worker worker,
      Weights weights,
      Activations a,
      TokenBatch batch,
      int targets,
      TokenScores scores) {
    normalize(worker, weights, a, targets);
    for (int start = 0; start < targets; start += a.logitRows) {
      int rows = Math.min(a.logitRows, targets - start);
      int from = worker.from(rows);
      int to = worker.to(rows);
      logits(worker, weights, a, start, from, to);
      for (int row = from; row < to; row++) {
        int position = a.targetRows[start + row];
        int target = batch.targets()[position];
        int at = row * a.logitStride;
        scores.logProbability()[position] =
            CrossEntropy.logProbability(a.logits, at, config.vocabSize(), target);
        scores.greedy()[position] = CrossEntropy.isGreedy(a.logits, at, config.vocabSize(), target);
      }
      // A shorter last chunk gives this worker rows that another may still be reading.
      worker.barrier();
    }
  }

  /** Gathers rows with a target and normalizes them. Rows of a chunk change hands: barrier. */
  private void normalize(Worker worker, Weights weights, Activations a, int targets) {
    worker.barrier();
    int from = worker.from(targets);
    int to = worker.to(targets);
    long hidden = config.hiddenSize();
    for (int row = from; row < to; row++) {
      long source = a.output.address(a.targetRows[row] * hidden);
      Buffer.copy(source, a.headInput.address(row * hidden), hidden);
    }
    RmsNorm.forward(
        a.headInput,
        weights.finalNorm(),
        a.headReciprocal,
        a.headNormed,
        from,
        to,
        (float) config.normEps());
    worker.gemm.round(a.headNormed, from * hidden, to * hidden);
    worker.barrier();
  }

  /** logits[rows] = headNormed[start + rows] · matrixᵀ. */
  private void logits(Worker worker, Weights weights, Activations a, int start, int from, int to) {
    Linear.forward(
        worker.gemm,
        to - from,
        a.headNormed,
        (long) (start + from) * config.hiddenSize(),
        weights,
        matrix,
        0f,
        a.logits,
        (long) from * a.logitStride,
        a.logitStride);
  }

  /** dHeadNormed[start + rows] = dLogits[rows] · matrix. */
  private void inputGradient(
      Worker worker, Weights weights, Activations a, int start, int from, int to) {
    Linear.inputGradient(
        worker.gemm,
        to - from,
        a.logits,
        (long) from * a.logitStride,
        a.logitStride,
        weights,
        matrix,
        a.dHeadNormed,
        (long) (start + from) * config.hiddenSize());
  }

  /** dMatrix (+)= dLogitsᵀ · headNormed, for this worker's share of the vocabulary. */
  private void matrixGradient(Worker worker, Weights gradient, Activations a, int start, int rows) {
    int hidden = config.hiddenSize();
    int from = worker.from(config.vocabSize());
    int to = worker.to(config.vocabSize());
    if (a.logits.hasHalves()) {
      worker
          .gemm
          .halves()
          .transposedTimes(
              to - from,
              hidden,
              rows,
              a.logits.halfAddress(from),
              a.logitStride,
              a.headNormed.halfAddress((long) start * hidden),
              hidden,
              start > 0 || gradient.beta != 0,
              gradient.row(matrix, from),
              hidden);
      return;
    }
    worker.gemm.transposedTimes(
        to - from,
        hidden,
        rows,
        1f,
        a.logits.address(from),
        a.logitStride,
        a.headNormed.address((long) start * hidden),
        hidden,
        start == 0 ? gradient.beta : 1f,
        gradient.row(matrix, from),
        hidden);
  }

  /** dHeadNormed → dOutput: zero in rows without a target. */
  private void normGradient(
      Worker worker, Weights weights, Activations a, TokenBatch batch, int targets) {
    long hidden = config.hiddenSize();
    int tokens = batch.ids().length;
    Buffer.zero(
        a.dOutput.address(worker.from(tokens) * hidden),
        (worker.to(tokens) - worker.from(tokens)) * hidden);
    worker.barrier();
    int from = worker.from(targets);
    int to = worker.to(targets);
    Buffer.zero(a.dHeadInput.address(from * hidden), (to - from) * hidden);
    RmsNorm.backward(
        a.dHeadNormed,
        a.headInput,
        a.headReciprocal,
        weights.finalNorm(),
        worker.gainGradients,
        2 * config.layerCount() * config.hiddenSize(),
        a.dHeadInput,
        a.dHeadInput,
        from,
        to);
    for (int row = from; row < to; row++) {
      Buffer.copy(
          a.dHeadInput.address(row * hidden),
          a.dOutput.address(a.targetRows[row] * hidden),
          hidden);
    }
    worker.barrier();
  }

  private void clearEmbedding(Worker worker, Weights gradient) {
    int from = worker.from(config.vocabSize());
    int to = worker.to(config.vocabSize());
    Buffer.zero(gradient.row(layout.embedding(), from), (long) (to - from) * config.hiddenSize());
  }
}
