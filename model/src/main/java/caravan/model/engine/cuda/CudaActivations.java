package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * What a pass writes down on the GPU, for up to {@code tokens} tokens. Real is the type of {@link
 * Precision}; the residual stream and its gradient are fp32.
 */
final class CudaActivations implements AutoCloseable {
  /** Bytes of logits at a time; more rows are taken in chunks. */
  private static final long LOGIT_BYTES = 1L << 30;

  /** Logit rows start at multiples of this many elements, which tensor cores want. */
  private static final int LOGIT_ALIGNMENT = 64;

  private static final int FEWEST_LOGIT_ROWS = 64;

  /**
   * One block's results: addresses.
   *
   * @param input fp32 [tokens, hidden] the residual stream before the block
   * @param attentionInput real [tokens, hidden] normalized
   * @param attentionReciprocal fp32 [tokens] of RMSNorm
   * @param qkv real [tokens, qkvDim], queries and keys turned to their positions
   * @param logSums fp32 [batch, heads, seq] log Σ exp of the attention scores
   * @param attended real [tokens, queryDim]
   * @param middle fp32 [tokens, hidden] the stream between attention and feed-forward
   * @param mlpInput real [tokens, hidden] normalized
   * @param mlpReciprocal fp32 [tokens] of RMSNorm
   * @param gateUp real [tokens, 2 · inter]; its gradient takes its place
   */
  record Block(
      long input,
      long attentionInput,
      long attentionReciprocal,
      long qkv,
      long logSums,
      long attended,
      long middle,
      long mlpInput,
      long mlpReciprocal,
      long gateUp) {}

  private final GpuMemory device;
  private final List<Long> owned = new ArrayList<>();
  private final int tokens;
  private final Precision precision;
  private final Block[] blocks;

  /** fp32 [tokens, hidden] the stream after the last block. */
  final long output;

  /** real [tokens, hidden] what a half of a block adds to the stream; also gradients of norms. */
  final long delta;

  /** real [tokens, inter] SwiGLU's output and its gradient. */
  final long activated;

  /** fp32 [tokens, hidden] rows with a target, where few have one. */
  final long headInput;

  /** real [tokens, hidden] */
  final long headNormed;

  /** fp32 [tokens] */
  final long headReciprocal;

  /** real [logitRows, logitStride] */
  final long logits;

  final int logitRows;
  final int logitStride;

  /** fp32 [tokens] loss or log-probability of each row; int [tokens] whether it is greedy. */
  final long rowLoss;

  /** fp32 [tokens] what the objective has beside each row's loss. */
  final long rowPenalty;

  final long greedy;

  /** Gradient of the stream, fp32 and real [tokens, hidden]. */
  final long dStream;

  final long dStreamReal;

  /** real [tokens, hidden] of the head's rows. */
  final long dHeadNormed;

  final long dAttended;
  final long dQkv;

  /** fp32 [batch, heads, seq] rowsum(dO ∘ O). */
  final long attentionDelta;

  /** fp32 [partialRows, hidden] sums of gain gradients, one row per block of threads. */
  final long gainPartials;

  final int partialRows;

  /**
   * @param training whether there will be a backward pass
   * @param recompute keep each block's input alone and compute the rest again
   */
  CudaActivations(
      GpuMemory device,
      Precision precision,
      LlamaConfig config,
      int tokens,
      boolean training,
      boolean recompute) {
    this.device = device;
    this.precision = precision;
    this.tokens = tokens;
    int hidden = config.hiddenSize();
    int real = precision.bytes();
    blocks = new Block[config.layerCount()];
    try {
      fillBlocks(config, training, recompute);
      long middle = blocks[0].middle();
      output = training ? floats("activations of the head", hidden) : middle;
      delta = take("work space of blocks", hidden, real);
      activated = take("work space of blocks", config.intermediateSize(), real);
      headInput = floats("activations of the head", hidden);
      headNormed = take("activations of the head", hidden, real);
      headReciprocal = floats("activations of the head", 1);
      logitStride = (config.vocabSize() + LOGIT_ALIGNMENT - 1) / LOGIT_ALIGNMENT * LOGIT_ALIGNMENT;
      logitRows =
          (int)
              Math.min(
                  tokens, Math.max(FEWEST_LOGIT_ROWS, LOGIT_BYTES / ((long) logitStride * real)));
      logits = own("logits", (long) logitRows * logitStride * real);
      rowLoss = floats("activations of the head", 1);
      rowPenalty = training ? floats("activations of the head", 1) : 0;
      greedy = floats("activations of the head", 1);
      partialRows = Kernels.gainBlocks(device);
      dStream = training ? floats("gradients of activations", hidden) : 0;
      dStreamReal = training ? take("gradients of activations", hidden, real) : 0;
      dHeadNormed = training ? take("gradients of activations", hidden, real) : 0;
      dAttended = training ? take("gradients of activations", config.queryDim(), real) : 0;
      dQkv = training ? take("gradients of activations", config.qkvDim(), real) : 0;
      attentionDelta = training ? floats("gradients of activations", config.headCount()) : 0;
      gainPartials =
          training ? own("gradients of activations", (long) partialRows * hidden * Float.BYTES) : 0;
    } catch (CudaException e) {
      close();
      throw e;
    }
  }

  private void fillBlocks(LlamaConfig config, boolean training, boolean recompute) {
    for (int l = 0; l < blocks.length; l++) {
      if (l == 0 || (training && !recompute)) {
        blocks[l] = block(config, training);
      } else if (training) {
        blocks[l] = withInput(blocks[0], floats("activations of blocks", config.hiddenSize()));
      } else {
        blocks[l] = blocks[0];
      }
    }
  }

  private static Block withInput(Block shared, long input) {
    return new Block(
        input,
        shared.attentionInput(),
        shared.attentionReciprocal(),
        shared.qkv(),
        shared.logSums(),
        shared.attended(),
        shared.middle(),
        shared.mlpInput(),
        shared.mlpReciprocal(),
        shared.gateUp());
  }

  /** Without a backward pass the stream stays in one place. */
  private Block block(LlamaConfig config, boolean training) {
    String what = "activations of blocks";
    int hidden = config.hiddenSize();
    int real = precision.bytes();
    long input = floats(what, hidden);
    return new Block(
        input,
        take(what, hidden, real),
        floats(what, 1),
        take(what, config.qkvDim(), real),
        floats(what, config.headCount()),
        take(what, config.queryDim(), real),
        training ? floats(what, hidden) : input,
        take(what, hidden, real),
        floats(what, 1),
        take(what, 2 * config.intermediateSize(), real));
  }

  private long floats(String what, int width) {
    return take(what, width, Float.BYTES);
  }

  private long take(String what, int width, int elementBytes) {
    return own(what, (long) tokens * width * elementBytes);
  }

  private long own(String what, long bytes) {
    long address = device.allocate(what, bytes);
    owned.add(address);
    return address;
  }

  boolean holds(int wanted) {
    return wanted <= tokens;
  }

  Block block(int layer) {
    return blocks[layer];
  }

  @Override
  public void close() {
    owned.forEach(device::free);
    owned.clear();
  }
}
