package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;

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
  private final LlamaConfig config;
  private final ParameterLayout layout;
  private final DeviceParameters parameters;
  private final Kernels kernels;
  private final AttentionKernels attention;
  private final Linears linears;
  private final boolean recompute;

  CudaBlocks(
      ParameterLayout layout,
      DeviceParameters parameters,
      Kernels kernels,
      AttentionKernels attention,
      Linears linears,
      boolean recompute) {
    this.layout = layout;
    this.config = layout.config();
    this.parameters = parameters;
    this.kernels = kernels;
    this.attention = attention;
    this.linears = linears;
    this.recompute = recompute;
  }

  /** The last block's m stays in its place and what that block adds to it in {@code a.delta}. */
  void forward(CudaActivations a, BatchOnDevice batch) {
    int n = batch.tokens();
    CudaActivations.Block first = a.block(0);
    kernels.embed(first.input(), parameters.weights(layout.embedding()), batch.ids(), n);
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
            parameters.master(layout.block(layer + 1).attentionNorm()),
            n);
      }
    }
  }

  private void norm(CudaActivations a, int layer, int n) {
    CudaActivations.Block b = a.block(layer);
    Tensor gain = layout.block(layer).attentionNorm();
    kernels.rmsnorm(
        b.attentionInput(), b.attentionReciprocal(), b.input(), parameters.master(gain), n);
  }

  /** From the normalized input to what the block adds to m. */
  private void inner(CudaActivations a, BatchOnDevice batch, int layer) {
    ParameterLayout.Block w = layout.block(layer);
    toGateUp(a, batch, layer);
    kernels.swiglu(a.activated, a.block(layer).gateUp(), batch.tokens());
    linears.forward("down", a.activated, w.down(), a.delta, batch.tokens());
  }

  private void toGateUp(CudaActivations a, BatchOnDevice batch, int layer) {
    int n = batch.tokens();
    CudaActivations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    linears.forward("qkv", b.attentionInput(), w.qkv(), b.qkv(), n);
    kernels.rope(b.qkv(), batch.angles(), n, batch.seq(), false);
    attention.forward(
        b.attended(), b.logSums(), b.qkv(), batch.batch(), batch.seq(), batch.documents());
    linears.forward("attention output", b.attended(), w.attentionOutput(), a.delta, n);
    kernels.addRmsnorm(
        b.mlpInput(),
        b.mlpReciprocal(),
        b.middle(),
        b.input(),
        a.delta,
        parameters.master(w.mlpNorm()),
        n);
    linears.forward("gate and up", b.mlpInput(), w.gateUp(), b.gateUp(), n);
  }

  /** Takes {@code a.dStream} down to the embedding; writes every gradient but the head's. */
  void backward(CudaActivations a, BatchOnDevice batch) {
    for (int layer = config.layerCount() - 1; layer >= 0; layer--) {
      if (recompute && layer + 1 < config.layerCount()) {
        norm(a, layer, batch.tokens());
        toGateUp(a, batch, layer);
      }
      feedForwardGradient(a, batch.tokens(), layer);
      attentionGradient(a, batch, layer);
    }
    kernels.embedBackward(
        parameters.gradient(layout.embedding()),
        a.dStream,
        batch.order(),
        batch.starts(),
        batch.distinctIds(),
        batch.distinct());
  }

  private void feedForwardGradient(CudaActivations a, int n, int layer) {
    CudaActivations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    linears.inputGradient("down, input gradient", a.dStreamReal, w.down(), a.activated, n);
    kernels.swigluBackward(b.gateUp(), a.activated, n);
    linears.weightGradient("down, gradient", a.dStreamReal, a.activated, w.down(), n);
    linears.inputGradient("gate and up, input gradient", b.gateUp(), w.gateUp(), a.delta, n);
    linears.weightGradient("gate and up, gradient", b.gateUp(), b.mlpInput(), w.gateUp(), n);
    kernels.rmsnormBackward(
        a.dStream,
        a.dStreamReal,
        a.gainPartials,
        a.delta,
        b.middle(),
        b.mlpReciprocal(),
        parameters.master(w.mlpNorm()),
        parameters.gradient(w.mlpNorm()),
        n);
  }

  private void attentionGradient(CudaActivations a, BatchOnDevice batch, int layer) {
    int n = batch.tokens();
    CudaActivations.Block b = a.block(layer);
    ParameterLayout.Block w = layout.block(layer);
    linears.inputGradient(
        "attention output, input gradient", a.dStreamReal, w.attentionOutput(), a.dAttended, n);
    linears.weightGradient(
        "attention output, gradient", a.dStreamReal, b.attended(), w.attentionOutput(), n);
    attention.backward(
        a.dQkv,
        a.dAttended,
        b.attended(),
        b.qkv(),
        b.logSums(),
        a.attentionDelta,
        batch.batch(),
        batch.seq(),
        batch.documents());
    kernels.rope(a.dQkv, batch.angles(), n, batch.seq(), true);
    linears.inputGradient("qkv, input gradient", a.dQkv, w.qkv(), a.delta, n);
    linears.weightGradient("qkv, gradient", a.dQkv, b.attentionInput(), w.qkv(), n);
    kernels.rmsnormBackward(
        a.dStream,
        a.dStreamReal,
        a.gainPartials,
        a.delta,
        b.input(),
        b.attentionReciprocal(),
        parameters.master(w.attentionNorm()),
        parameters.gradient(w.attentionNorm()),
        n);
  }
}
