package caravan.model.engine;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
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
  private final Projections products;
  private final BlockAttention attention;
  private final float epsilon;

  /**
   * @param adapters beside the matrices, where these are frozen
   */
  Blocks(ParameterLayout layout, Optional<Adapters> adapters) {
    this.layout = layout;
    this.config = layout.config();
    this.products = new Projections(adapters);
    this.attention = new BlockAttention(config);
    this.epsilon = (float) config.normEps();
  }

  /** The angles of the next passes. */
  void turnBy(Rope angles) {
    attention.turnBy(angles);
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
    attention.forward(worker, a, batch, layer);
    worker.barrier();
    gate(worker, weights, a, batch, layer);
  }

  /** x0[token] = E[id]. */
  private void embed(Worker worker, Weights weights, Activations a, TokenBatch batch) {
    int hidden = config.hiddenSize();
    int tokens = batch.ids().length;
    for (int row = worker.from(tokens); row < worker.to(tokens); row++) {
      weights.copyRow(
          layout.embedding(), batch.ids()[row], a.block(0).input(), (long) row * hidden);
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
    products.round(worker, b.attentionInput(), config.hiddenSize(), from, to);
    worker.phases.end(Phase.NORM);
    products.forward(
        worker, weights, a, layout.block(layer).qkv(), b.attentionInput(), 0f, b.qkv(), from, to);
    worker.phases.end(Phase.PROJECT);
    attention.turn(b.qkv(), batch, from, to);
    worker.phases.end(Phase.ROTATE);
  }

  /** Attention's output projection, added to the stream, and the feed-forward half's gates. */
  private void gate(Worker worker, Weights weights, Activations a, TokenBatch batch, int layer) {
    Activations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    int from = worker.from(batch.ids().length);
    int to = worker.to(batch.ids().length);
    products.round(worker, b.attended(), config.queryDim(), from, to);
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
    products.round(worker, b.mlpInput(), config.hiddenSize(), from, to);
    worker.phases.end(Phase.NORM);
    products.forward(worker, weights, a, w.gateUp(), b.mlpInput(), 0f, b.gateUp(), from, to);
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
    products.round(worker, a.activated, config.intermediateSize(), from, to);
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
      products.forward(worker, weights, a, w, x, 1f, sum, from, to);
      return;
    }
    int hidden = config.hiddenSize();
    products.forward(worker, weights, a, w, x, 0f, sum, from, to);
    a.dropping.branch(half, sum, hidden, from, to);
    for (int row = from; row < to; row++) {
      worker.gemm.add(
          hidden, stream.address((long) row * hidden), sum.address((long) row * hidden));
    }
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
      products.weightGradient(worker, gradient, a, w.down(), a.dFeedForward(), a.activated, tokens);
      products.weightGradient(worker, gradient, a, w.gateUp(), a.dGateUp, b.mlpInput(), tokens);
      products.weightGradient(
          worker, gradient, a, w.attentionOutput(), a.dAttention(), b.attended(), tokens);
      worker.phases.end(Phase.WEIGHT_GRADIENT);
      attention.backward(worker, a, batch, layer);
      worker.barrier();
      qkvGradient(worker, weights, a, tokens, layer);
      if (a.dQkv.hasHalves()) {
        worker.barrier();
      }
      products.weightGradient(worker, gradient, a, w.qkv(), a.dQkv, b.attentionInput(), tokens);
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
    products.round(worker, a.dFeedForward(), config.hiddenSize(), from, to);
    products.inputGradient(worker, weights, a, w.down(), a.dFeedForward(), a.activated, from, to);
    worker.phases.end(Phase.INPUT_GRADIENT);
    SwiGlu.backward(b.gateUp(), a.activated, a.dGateUp, config.intermediateSize(), from, to);
    products.round(worker, a.activated, config.intermediateSize(), from, to);
    products.round(worker, a.dGateUp, 2 * config.intermediateSize(), from, to);
    worker.phases.end(Phase.ACTIVATE);
    products.inputGradient(worker, weights, a, w.gateUp(), a.dGateUp, a.dNormed, from, to);
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
    products.round(worker, a.dAttention(), config.hiddenSize(), from, to);
    products.inputGradient(
        worker, weights, a, w.attentionOutput(), a.dAttention(), a.dAttended, from, to);
    worker.phases.end(Phase.INPUT_GRADIENT);
  }

  /** dQkv → dOutput of the block below, over this worker's rows. */
  private void qkvGradient(Worker worker, Weights weights, Activations a, int tokens, int layer) {
    Activations.Block b = a.block(layer);
    int from = worker.from(tokens);
    int to = worker.to(tokens);
    Tensor qkv = layout.block(layer).qkv();
    products.round(worker, a.dQkv, config.qkvDim(), from, to);
    products.inputGradient(worker, weights, a, qkv, a.dQkv, a.dNormed, from, to);
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

  private void copyRows(Buffer x, Buffer y, int from, int to) {
    long hidden = config.hiddenSize();
    Buffer.copy(x.address(from * hidden), y.address(from * hidden), (to - from) * hidden);
  }
}
