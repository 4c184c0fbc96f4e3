package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.Attention.Matrix;
import caravan.model.engine.Phases.Phase;
import java.util.Optional;

/**
 * Embedding and blocks, forward and backward. Every method is run by all workers at once, each on
 * its share of rows (tokens), of key/value heads, or of a weight matrix's rows; barriers stand
 * where one worker reads what others wrote.
 *
 * <pre>
 * x0 = E[ids]
 * a  = RMSNorm(x)      q,k,v = split(a Wqkvᵀ)    o = attention(rope q, rope k, v)    m = x + o Woᵀ
 * h  = RMSNorm(m)      gate,up = split(h Wguᵀ)   s = silu(gate) ∘ up                 x' = m + s Wdᵀ
 * </pre>
 */
final class Blocks {
  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final Optional<Adapters> adapters;
  private final float epsilon;
  private Rope rope;

  /**
   * @param adapters beside the matrices, where these are frozen
   */
  Blocks(ParameterLayout layout, Optional<Adapters> adapters) {
    this.layout = layout;
    this.adapters = adapters;
    this.config = layout.config();
    this.epsilon = (float) config.normEps();
  }

  /** The angles of the next passes. */
  void turnBy(Rope angles) {
    rope = angles;
  }

  void forward(Worker worker, Weights weights, Activations a, TokenBatch batch) {
    embed(worker, weights, a, batch);
    for (int layer = 0; layer < config.layerCount(); layer++) {
      toGate(worker, weights, a, batch, layer);
      feedForward(worker, weights, a, batch, layer);
    }
  }

  /** All of a block that its backward pass reads. */
  private void toGate(Worker worker, Weights weights, Activations a, TokenBatch batch, int layer) {
    projectQkv(worker, weights, a, batch, layer);
    worker.barrier();
    attend(worker, a, batch, layer);
    worker.barrier();
    gate(worker, weights, a, batch, layer);
  }

  /** x0[token] = E[id]. */
  private void embed(Worker worker, Weights weights, Activations a, TokenBatch batch) {
    int hidden = config.hiddenSize();
    int tokens = batch.ids().length;
    for (int row = worker.from(tokens); row < worker.to(tokens); row++) {
      Buffer.copy(
          weights.row(layout.embedding(), batch.ids()[row]),
          a.block(0).input().address((long) row * hidden),
          hidden);
    }
    a.dropping.embeddings(a.block(0).input(), hidden, worker.from(tokens), worker.to(tokens));
  }

  /** RMSNorm, the fused projection, and rotary positions for queries and keys. */
  private void projectQkv(
      Worker worker, Weights weights, Activations a, TokenBatch batch, int layer) {
    Activations.Block b = a.block(layer);
    int from = worker.from(batch.ids().length);
    int to = worker.to(batch.ids().length);
    RmsNorm.forward(
        b.input(),
        weights.attentionNorm(layer),
        b.attentionReciprocal(),
        b.attentionInput(),
        from,
        to,
        epsilon);
    round(worker, b.attentionInput(), config.hiddenSize(), from, to);
    worker.phases.end(Phase.NORM);
    project(
        worker, weights, a, layout.block(layer).qkv(), b.attentionInput(), 0f, b.qkv(), from, to);
    worker.phases.end(Phase.PROJECT);
    int turned = config.headCount() + config.kvHeadCount();
    for (int row = from; row < to; row++) {
      for (int head = 0; head < turned; head++) {
        int at = row * config.qkvDim() + head * config.headDim();
        rope.rotate(b.qkv(), at, row % batch.seq());
      }
    }
    worker.phases.end(Phase.ROTATE);
  }

  /** One task per sequence and key/value head, with all query heads that share it. */
  private void attend(Worker worker, Activations a, TokenBatch batch, int layer) {
    Activations.Block b = a.block(layer);
    int group = config.headCount() / config.kvHeadCount();
    for (int task = 0; task < batch.batch() * config.kvHeadCount(); task++) {
      if (worker.takes(task)) {
        int sequence = task / config.kvHeadCount();
        int kvHead = task % config.kvHeadCount();
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
          headForward(worker, a, batch, layer, sequence, head);
        }
      }
    }
    worker.phases.end(Phase.ATTEND);
  }

  /** Each document of a row is a sequence of its own. */
  private void headForward(
      Worker worker, Activations a, TokenBatch batch, int layer, int sequence, int head) {
    Activations.Block b = a.block(layer);
    int kvHead = head / (config.headCount() / config.kvHeadCount());
    int[] starts = batch.documents(sequence);
    for (int d = 0; d < starts.length; d++) {
      int first = starts[d];
      int end = d + 1 < starts.length ? starts[d + 1] : batch.seq();
      worker
          .attention()
          .forward(
              query(b.qkv(), batch, sequence, head).from(first),
              key(b.qkv(), batch, sequence, kvHead).from(first),
              value(b.qkv(), batch, sequence, kvHead).from(first),
              attended(b.attended(), batch, sequence, head).from(first),
              end - first,
              0,
              b.logSums(),
              (sequence * config.headCount() + head) * batch.seq() + first);
    }
  }

  /** Attention's output projection, added to the stream, and the feed-forward half's gates. */
  private void gate(Worker worker, Weights weights, Activations a, TokenBatch batch, int layer) {
    Activations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    int from = worker.from(batch.ids().length);
    int to = worker.to(batch.ids().length);
    round(worker, b.attended(), config.queryDim(), from, to);
    addHalf(
        worker,
        weights,
        a,
        2 * layer,
        b.attended(),
        w.attentionOutput(),
        b.input(),
        b.middle(),
        from,
        to);
    worker.phases.end(Phase.PROJECT);
    RmsNorm.forward(
        b.middle(), weights.mlpNorm(layer), b.mlpReciprocal(), b.mlpInput(), from, to, epsilon);
    round(worker, b.mlpInput(), config.hiddenSize(), from, to);
    worker.phases.end(Phase.NORM);
    project(worker, weights, a, w.gateUp(), b.mlpInput(), 0f, b.gateUp(), from, to);
    worker.phases.end(Phase.PROJECT);
  }

  /** The feed-forward half from its gates on, added to the stream. */
  private void feedForward(
      Worker worker, Weights weights, Activations a, TokenBatch batch, int layer) {
    Activations.Block b = a.block(layer);
    Tensor down = layout.block(layer).down();
    int from = worker.from(batch.ids().length);
    int to = worker.to(batch.ids().length);
    SwiGlu.forward(b.gateUp(), a.activated, config.intermediateSize(), from, to);
    round(worker, a.activated, config.intermediateSize(), from, to);
    worker.phases.end(Phase.ACTIVATE);
    addHalf(
        worker,
        weights,
        a,
        2 * layer + 1,
        a.activated,
        down,
        b.middle(),
        a.outputOf(layer),
        from,
        to);
    worker.phases.end(Phase.PROJECT);
  }

  /** Rows [from, to) of sum = stream + dropout(x Wᵀ). */
  private void addHalf(
      Worker worker,
      Weights weights,
      Activations a,
      int half,
      Buffer x,
      Tensor w,
      Buffer stream,
      Buffer sum,
      int from,
      int to) {
    if (!a.dropping.ofBranches()) {
      copyRows(stream, sum, from, to);
      project(worker, weights, a, w, x, 1f, sum, from, to);
      return;
    }
    int hidden = config.hiddenSize();
    project(worker, weights, a, w, x, 0f, sum, from, to);
    a.dropping.branch(half, sum, hidden, from, to);
    for (int row = from; row < to; row++) {
      worker.gemm.add(
          hidden, stream.address((long) row * hidden), sum.address((long) row * hidden));
    }
  }

  /** Rows of y = x Wᵀ (+ y when {@code beta} is 1), and what adapters add. */
  private void project(
      Worker worker,
      Weights weights,
      Activations a,
      Tensor w,
      Buffer x,
      float beta,
      Buffer y,
      int from,
      int to) {
    Linear.forward(worker.gemm, x, weights, w, beta, y, from, to);
    adapters.ifPresent(beside -> beside.forward(worker, weights, a.dropping, w, x, y, from, to));
  }

  /** Rows of dx = dy W, with what came through adapters. */
  private void inputGradient(
      Worker worker,
      Weights weights,
      Activations a,
      Tensor w,
      Buffer dy,
      Buffer dx,
      int from,
      int to) {
    Linear.inputGradient(worker.gemm, dy, weights, w, dx, from, to);
    adapters.ifPresent(
        beside -> beside.inputGradient(worker, weights, a.dropping, w, dy, dx, from, to));
  }

  /** This worker's share of dW, or of the adapters' gradients where W is frozen. */
  private void weightGradient(
      Worker worker, Weights gradient, Activations a, Tensor w, Buffer dy, Buffer x, int tokens) {
    if (gradient.has(w)) {
      Linear.weightGradient(worker, dy, x, gradient, w, tokens);
    }
    adapters.ifPresent(
        beside -> beside.weightGradient(worker, gradient, a.dropping, w, dy, x, tokens));
  }

  /** Gradient of what a half added, in {@code dHalf}, from that of the stream it was added to. */
  private void dropGradient(
      Activations a, int half, Buffer dStream, Buffer dHalf, int from, int to) {
    if (a.dropping.ofBranches()) {
      copyRows(dStream, dHalf, from, to);
      a.dropping.branch(half, dHalf, config.hiddenSize(), from, to);
    }
  }

  /** Takes {@code a.dOutput} down to the embedding; writes gradients, but the head's. */
  void backward(Worker worker, Weights weights, Weights gradient, Activations a, TokenBatch batch) {
    int tokens = batch.ids().length;
    for (int layer = config.layerCount() - 1; layer >= 0; layer--) {
      Activations.Block b = a.block(layer);
      ParameterLayout.Block w = layout.block(layer);
      if (a.recomputes() && layer + 1 < config.layerCount()) {
        // Others may still read what the block above has left.
        worker.barrier();
        toGate(worker, weights, a, batch, layer);
      }
      feedForwardGradient(worker, weights, a, tokens, layer);
      worker.barrier();
      weightGradient(worker, gradient, a, w.down(), a.dFeedForward(), a.activated, tokens);
      weightGradient(worker, gradient, a, w.gateUp(), a.dGateUp, b.mlpInput(), tokens);
      weightGradient(
          worker, gradient, a, w.attentionOutput(), a.dAttention(), b.attended(), tokens);
      worker.phases.end(Phase.WEIGHT_GRADIENT);
      attendGradient(worker, a, batch, layer);
      worker.phases.end(Phase.ATTEND_GRADIENT);
      worker.barrier();
      qkvGradient(worker, weights, a, tokens, layer);
      if (a.dQkv.hasHalves()) {
        worker.barrier();
      }
      weightGradient(worker, gradient, a, w.qkv(), a.dQkv, b.attentionInput(), tokens);
      worker.phases.end(Phase.WEIGHT_GRADIENT);
    }
    a.dropping.embeddings(a.dOutput, config.hiddenSize(), worker.from(tokens), worker.to(tokens));
    worker.barrier();
    if (gradient.has(layout.embedding())) {
      embeddingGradient(worker, gradient, a, batch);
    }
    worker.phases.end(Phase.EMBED);
  }

  /** dOutput → dGateUp, dMiddle, dAttended, over this worker's rows. */
  private void feedForwardGradient(
      Worker worker, Weights weights, Activations a, int tokens, int layer) {
    Activations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    int from = worker.from(tokens);
    int to = worker.to(tokens);
    dropGradient(a, 2 * layer + 1, a.dOutput, a.dFeedForward(), from, to);
    round(worker, a.dFeedForward(), config.hiddenSize(), from, to);
    inputGradient(worker, weights, a, w.down(), a.dFeedForward(), a.activated, from, to);
    worker.phases.end(Phase.INPUT_GRADIENT);
    SwiGlu.backward(b.gateUp(), a.activated, a.dGateUp, config.intermediateSize(), from, to);
    round(worker, a.activated, config.intermediateSize(), from, to);
    round(worker, a.dGateUp, 2 * config.intermediateSize(), from, to);
    worker.phases.end(Phase.ACTIVATE);
    inputGradient(worker, weights, a, w.gateUp(), a.dGateUp, a.dNormed, from, to);
    worker.phases.end(Phase.INPUT_GRADIENT);
    RmsNorm.backward(
        a.dNormed,
        b.middle(),
        b.mlpReciprocal(),
        weights.mlpNorm(layer),
        worker.gainGradients,
        (2 * layer + 1) * config.hiddenSize(),
        a.dOutput,
        a.dMiddle,
        from,
        to);
    worker.phases.end(Phase.NORM);
    dropGradient(a, 2 * layer, a.dMiddle, a.dAttention(), from, to);
    round(worker, a.dAttention(), config.hiddenSize(), from, to);
    inputGradient(worker, weights, a, w.attentionOutput(), a.dAttention(), a.dAttended, from, to);
    worker.phases.end(Phase.INPUT_GRADIENT);
  }

  /** dAttended → dQkv, by sequence and key/value head; queries and keys turned back. */
  private void attendGradient(Worker worker, Activations a, TokenBatch batch, int layer) {
    int group = config.headCount() / config.kvHeadCount();
    for (int task = 0; task < batch.batch() * config.kvHeadCount(); task++) {
      if (worker.takes(task)) {
        int sequence = task / config.kvHeadCount();
        int kvHead = task % config.kvHeadCount();
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
          headGradient(worker, a, batch, layer, sequence, head);
          turnBack(query(a.dQkv, batch, sequence, head), batch.seq());
        }
        turnBack(key(a.dQkv, batch, sequence, kvHead), batch.seq());
      }
    }
  }

  private void headGradient(
      Worker worker, Activations a, TokenBatch batch, int layer, int sequence, int head) {
    Activations.Block b = a.block(layer);
    int group = config.headCount() / config.kvHeadCount();
    int kvHead = head / group;
    int[] starts = batch.documents(sequence);
    for (int d = 0; d < starts.length; d++) {
      int first = starts[d];
      int end = d + 1 < starts.length ? starts[d + 1] : batch.seq();
      worker
          .attention()
          .backward(
              query(b.qkv(), batch, sequence, head).from(first),
              key(b.qkv(), batch, sequence, kvHead).from(first),
              value(b.qkv(), batch, sequence, kvHead).from(first),
              attended(b.attended(), batch, sequence, head).from(first),
              attended(a.dAttended, batch, sequence, head).from(first),
              b.logSums(),
              (sequence * config.headCount() + head) * batch.seq() + first,
              end - first,
              head % group != 0,
              query(a.dQkv, batch, sequence, head).from(first),
              key(a.dQkv, batch, sequence, kvHead).from(first),
              value(a.dQkv, batch, sequence, kvHead).from(first));
    }
  }

  private void turnBack(Matrix head, int rows) {
    for (int row = 0; row < rows; row++) {
      rope.rotateBack(head.buffer(), head.index(row), row);
    }
  }

  /** dQkv → dOutput of the block below, over this worker's rows. */
  private void qkvGradient(Worker worker, Weights weights, Activations a, int tokens, int layer) {
    Activations.Block b = a.block(layer);
    int from = worker.from(tokens);
    int to = worker.to(tokens);
    Tensor qkv = layout.block(layer).qkv();
    round(worker, a.dQkv, config.qkvDim(), from, to);
    inputGradient(worker, weights, a, qkv, a.dQkv, a.dNormed, from, to);
    worker.phases.end(Phase.INPUT_GRADIENT);
    RmsNorm.backward(
        a.dNormed,
        b.input(),
        b.attentionReciprocal(),
        weights.attentionNorm(layer),
        worker.gainGradients,
        2 * layer * config.hiddenSize(),
        a.dMiddle,
        a.dOutput,
        from,
        to);
    worker.phases.end(Phase.NORM);
  }

  /** dE[id] += dx0[token]; each worker owns some ids, so sums have one order. */
  private void embeddingGradient(Worker worker, Weights gradient, Activations a, TokenBatch batch) {
    int hidden = config.hiddenSize();
    for (int row = 0; row < batch.ids().length; row++) {
      int id = batch.ids()[row];
      if (worker.takes(id)) {
        worker.gemm.add(
            hidden, a.dOutput.address((long) row * hidden), gradient.row(layout.embedding(), id));
      }
    }
  }

  /** Rows of a factor of the next products, where these are in bf16. */
  private void round(Worker worker, Buffer factor, int width, int from, int to) {
    worker.gemm.round(factor, (long) from * width, (long) to * width);
  }

  private void copyRows(Buffer x, Buffer y, int from, int to) {
    long hidden = config.hiddenSize();
    Buffer.copy(x.address(from * hidden), y.address(from * hidden), (to - from) * hidden);
  }

  private Matrix query(Buffer qkv, TokenBatch batch, int sequence, int head) {
    return qkvHead(qkv, batch, sequence, head);
  }

  private Matrix key(Buffer qkv, TokenBatch batch, int sequence, int kvHead) {
    return qkvHead(qkv, batch, sequence, config.headCount() + kvHead);
  }

  private Matrix value(Buffer qkv, TokenBatch batch, int sequence, int kvHead) {
    return qkvHead(qkv, batch, sequence, config.headCount() + config.kvHeadCount() + kvHead);
  }

  private Matrix qkvHead(Buffer qkv, TokenBatch batch, int sequence, int index) {
    int at = sequence * batch.seq() * config.qkvDim() + index * config.headDim();
    return new Matrix(qkv, at, config.qkvDim());
  }

  private Matrix attended(Buffer attended, TokenBatch batch, int sequence, int head) {
    int at = sequence * batch.seq() * config.queryDim() + head * config.headDim();
    return new Matrix(attended, at, config.queryDim());
  }
}
