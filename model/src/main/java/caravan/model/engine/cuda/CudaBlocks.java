package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.DropoutKeys;

/**
 * Embedding and blocks on the GPU, forward and backward. The stream's additions are fused into the
 * norms that follow them, so a block ends with what it adds in {@code a.delta}.
 *
 * <pre>
 * a  = RMSNorm(x)      q,k,v = split(a Wqkvᵀ)    o = attention(rope q, rope k, v)    m = x + o Woᵀ
 * h  = RMSNorm(m)      gate,up = split(h Wguᵀ)   s = silu(gate) ∘ up                 x' = m + s Wdᵀ
 * </pre>
 */
final class CudaBlocks {
  private final CudaModel model;
  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final DeviceWeights weights;
  private final Kernels kernels;
  private final boolean recompute;

  CudaBlocks(CudaModel model, boolean recompute) {
    this.model = model;
    this.layout = model.layout();
    this.config = model.config();
    this.weights = model.weights();
    this.kernels = model.kernels();
    this.recompute = recompute;
  }

  /** The last block's m stays in its place and what that block adds to it in {@code a.delta}. */
  void forward(CudaActivations a, BatchOnDevice batch) {
    int n = batch.tokens();
    CudaActivations.Block first = a.block(0);
    kernels.embed(first.input(), weights.matrix(layout.embedding()), batch.ids(), n);
    dropEmbedding(first.input(), batch);
    norm(a, 0, n);
    for (int layer = 0; layer < config.layerCount(); layer++) {
      inner(a, batch, layer);
      if (layer + 1 < config.layerCount()) {
        CudaActivations.Block b = a.block(layer);
        CudaActivations.Block next = a.block(layer + 1);
        kernels.addRmsnorm(
            next.attentionInput(),
            next.attentionReciprocal(),
            next.input(),
            b.middle(),
            a.delta,
            weights.gain(layout.block(layer + 1).attentionNorm()),
            n);
      }
    }
  }

  private void norm(CudaActivations a, int layer, int n) {
    CudaActivations.Block b = a.block(layer);
    Tensor gain = layout.block(layer).attentionNorm();
    kernels.rmsnorm(b.attentionInput(), b.attentionReciprocal(), b.input(), weights.gain(gain), n);
  }

  /** From the normalized input to what the block adds to m. */
  private void inner(CudaActivations a, BatchOnDevice batch, int layer) {
    toGateUp(a, batch, layer);
    kernels.swiglu(a.activated, a.block(layer).gateUp(), batch.tokens());
    project("down", batch, layout.block(layer).down(), a.activated, a.delta);
    dropBranch(a.delta, batch, 2 * layer + 1);
  }

  private void toGateUp(CudaActivations a, BatchOnDevice batch, int layer) {
    int n = batch.tokens();
    CudaActivations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    project("qkv", batch, w.qkv(), b.attentionInput(), b.qkv());
    kernels.rope(b.qkv(), batch.angles(), n, batch.seq(), false);
    model
        .attention()
        .forward(b.attended(), b.logSums(), b.qkv(), batch.batch(), batch.seq(), batch.documents());
    project("attention output", batch, w.attentionOutput(), b.attended(), a.delta);
    dropBranch(a.delta, batch, 2 * layer);
    kernels.addRmsnorm(
        b.mlpInput(),
        b.mlpReciprocal(),
        b.middle(),
        b.input(),
        a.delta,
        weights.gain(w.mlpNorm()),
        n);
    project("gate and up", batch, w.gateUp(), b.mlpInput(), b.gateUp());
  }

  /** y = x Wᵀ and what adapters add. */
  private void project(String what, BatchOnDevice batch, Tensor w, long x, long y) {
    model.linears().forward(what, x, w, y, batch.tokens());
    model.adapters().ifPresent(beside -> beside.forward(batch, w, x, y));
  }

  /** dx = dy W with what came through adapters. */
  private void inputGradient(String what, BatchOnDevice batch, Tensor w, long dy, long dx) {
    model.linears().inputGradient(what + ", input gradient", dy, w, dx, batch.tokens());
    model.adapters().ifPresent(beside -> beside.inputGradient(batch, w, dy, dx));
  }

  /** dW, or the adapters' gradients where W is frozen; after {@link #inputGradient} of W. */
  private void weightGradient(String what, BatchOnDevice batch, Tensor w, long dy, long x) {
    boolean adds = batch.pass().adds();
    model.linears().weightGradient(what + ", gradient", dy, x, w, batch.tokens(), adds);
    model.adapters().ifPresent(beside -> beside.weightGradient(batch, w, dy, x));
  }

  private void dropEmbedding(long stream, BatchOnDevice batch) {
    double rate = batch.pass().objective().embeddingDropout();
    if (rate > 0) {
      kernels.dropStream(stream, batch, DropoutKeys.EMBEDDING, rate);
    }
  }

  /** What a half adds to the stream, or its gradient. */
  private void dropBranch(long delta, BatchOnDevice batch, int half) {
    double rate = batch.pass().objective().residualDropout();
    if (rate > 0) {
      kernels.drop(delta, delta, batch, DropoutKeys.branch(half), config.hiddenSize(), rate);
    }
  }

  /** Takes {@code a.dStream} down to the embedding; writes every gradient but the head's. */
  void backward(CudaActivations a, BatchOnDevice batch) {
    for (int layer = config.layerCount() - 1; layer >= 0; layer--) {
      if (recompute && layer + 1 < config.layerCount()) {
        norm(a, layer, batch.tokens());
        toGateUp(a, batch, layer);
      }
      feedForwardGradient(a, batch, layer);
      attentionGradient(a, batch, layer);
    }
    if (weights.trains(layout.embedding())) {
      dropEmbedding(a.dStream, batch);
      kernels.embedBackward(
          weights.gradientOrNull(layout.embedding()),
          a.dStream,
          batch.order(),
          batch.starts(),
          batch.distinctIds(),
          batch.distinct());
    }
  }

  private void feedForwardGradient(CudaActivations a, BatchOnDevice batch, int layer) {
    CudaActivations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    dropBranch(a.dStreamReal, batch, 2 * layer + 1);
    inputGradient("down", batch, w.down(), a.dStreamReal, a.activated);
    kernels.swigluBackward(b.gateUp(), a.activated, batch.tokens());
    weightGradient("down", batch, w.down(), a.dStreamReal, a.activated);
    inputGradient("gate and up", batch, w.gateUp(), b.gateUp(), a.delta);
    weightGradient("gate and up", batch, w.gateUp(), b.gateUp(), b.mlpInput());
    normGradient(a, batch, b.middle(), b.mlpReciprocal(), w.mlpNorm());
  }

  private void attentionGradient(CudaActivations a, BatchOnDevice batch, int layer) {
    CudaActivations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    dropBranch(a.dStreamReal, batch, 2 * layer);
    inputGradient("attention output", batch, w.attentionOutput(), a.dStreamReal, a.dAttended);
    weightGradient("attention output", batch, w.attentionOutput(), a.dStreamReal, b.attended());
    model
        .attention()
        .backward(
            a.dQkv,
            a.dAttended,
            b.attended(),
            b.qkv(),
            b.logSums(),
            a.attentionDelta,
            batch.batch(),
            batch.seq(),
            batch.documents());
    kernels.rope(a.dQkv, batch.angles(), batch.tokens(), batch.seq(), true);
    inputGradient("qkv", batch, w.qkv(), a.dQkv, a.delta);
    weightGradient("qkv", batch, w.qkv(), a.dQkv, b.attentionInput());
    normGradient(a, batch, b.input(), b.attentionReciprocal(), w.attentionNorm());
  }

  /** The stream's gradient through a norm, whose result's is in {@code a.delta}. */
  private void normGradient(
      CudaActivations a, BatchOnDevice batch, long x, long reciprocal, Tensor norm) {
    kernels.rmsnormBackward(
        a.dStream,
        a.dStreamReal,
        a.gainPartials,
        a.delta,
        x,
        reciprocal,
        weights.gain(norm),
        weights.gradientOrNull(norm),
        batch.pass().adds(),
        batch.tokens());
  }
}
