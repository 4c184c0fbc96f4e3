package caravan.model.engine;

import caravan.model.LlamaConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * What a pass writes down, for up to {@code tokens} tokens. A training set keeps every block's
 * intermediate results for the backward pass; a scoring set lets all blocks share one.
 */
final class Activations implements AutoCloseable {
  /** Fewer rows than this at a time make slow matrix products. */
  private static final int FEWEST_LOGIT_ROWS = 64;

  /**
   * One block's results.
   *
   * @param input [tokens, hidden] the residual stream before the block
   * @param attentionInput [tokens, hidden] normalized
   * @param attentionReciprocal [tokens] of RMSNorm
   * @param qkv [tokens, qkvDim] queries and keys already turned to their positions
   * @param logSums [batch, heads, seq] log Σ exp of the attention scores
   * @param attended [tokens, queryDim]
   * @param middle [tokens, hidden] the residual stream between attention and feed-forward
   * @param mlpInput [tokens, hidden] normalized
   * @param mlpReciprocal [tokens] of RMSNorm
   * @param gateUp [tokens, 2 · inter]
   */
  record Block(
      Buffer input,
      Buffer attentionInput,
      Buffer attentionReciprocal,
      Buffer qkv,
      Buffer logSums,
      Buffer attended,
      Buffer middle,
      Buffer mlpInput,
      Buffer mlpReciprocal,
      Buffer gateUp) {

    /** The same but for its input. */
    Block withInput(Buffer other) {
      return new Block(
          other,
          attentionInput,
          attentionReciprocal,
          qkv,
          logSums,
          attended,
          middle,
          mlpInput,
          mlpReciprocal,
          gateUp);
    }
  }

  private final int tokens;
  private final CpuOptions options;
  private final Room room;
  private final List<Buffer> owned = new ArrayList<>();
  private final Block[] blocks;

  /** [tokens, hidden] the residual stream after the last block. */
  final Buffer output;

  /** [tokens, inter] SwiGLU's output; in the backward pass its gradient, then again the output. */
  final Buffer activated;

  /** [targets, hidden] the rows of {@link #output} that have a target, and normalized. */
  final Buffer headInput;

  final Buffer headNormed;

  /** [targets] of the final RMSNorm. */
  final Buffer headReciprocal;

  /** [logitRows, vocab rounded up to {@link #logitStride}]. */
  final Buffer logits;

  final int logitRows;
  final int logitStride;

  /** Positions (row of the batch × seq + column) that have a target; the first targetCount. */
  final int[] targetRows;

  /** Gradients: of the residual stream around each half of a block, and of inner results. */
  final Buffer dOutput;

  final Buffer dMiddle;
  final Buffer dNormed;
  final Buffer dGateUp;
  final Buffer dAttended;
  final Buffer dQkv;
  final Buffer dHeadNormed;
  final Buffer dHeadInput;

  /** What dropout zeroes in this pass. */
  Dropping dropping = Dropping.NONE;

  /** [tokens, hidden] gradients of what the halves of a block add; there under dropout only. */
  private Buffer dFeedForward;

  private Buffer dAttention;

  /**
   * @param training whether there will be a backward pass
   * @param options how to train
   * @param maxLogits bound on the floats for logits; more target rows are taken in chunks
   */
  Activations(
      LlamaConfig config, int tokens, boolean training, CpuOptions options, long maxLogits) {
    this(config, tokens, training, options, maxLogits, Room.NEW);
  }

  private Activations(
      LlamaConfig config,
      int tokens,
      boolean training,
      CpuOptions options,
      long maxLogits,
      Room room) {
    this.room = room;
    this.tokens = tokens;
    this.options = options;
    int hidden = config.hiddenSize();
    blocks = new Block[config.layerCount()];
    for (int l = 0; l < blocks.length; l++) {
      boolean own = l == 0 || training && !options.recomputesBlocks();
      blocks[l] = own ? block(config) : training ? blocks[0].withInput(floats(hidden)) : blocks[0];
    }
    output = training ? floats(hidden) : blocks[0].input();
    activated = factor(config.intermediateSize());
    headInput = floats(hidden);
    headNormed = factor(hidden);
    headReciprocal = floats(1);
    logitStride = Buffer.padded(config.vocabSize());
    logitRows = logitRows(config, tokens, maxLogits);
    logits = own(allocate((long) logitRows * logitStride));
    targetRows = new int[tokens];
    dOutput = training ? factor(hidden) : null;
    dMiddle = training ? factor(hidden) : null;
    dNormed = training ? floats(hidden) : null;
    dGateUp = training ? factor(2 * config.intermediateSize()) : null;
    dAttended = training ? floats(config.queryDim()) : null;
    dQkv = training ? factor(config.qkvDim()) : null;
    dHeadNormed = training ? floats(hidden) : null;
    dHeadInput = training ? floats(hidden) : null;
  }

  /** Sets what the next pass zeroes. */
  void drop(Dropping next, LlamaConfig config) {
    dropping = next;
    if (next.ofBranches() && dFeedForward == null) {
      addDropped(config);
    }
  }

  private void addDropped(LlamaConfig config) {
    dFeedForward = factor(config.hiddenSize());
    dAttention = factor(config.hiddenSize());
  }

  /** Gradient of what the feed-forward half adds: that of the stream, unless some is zeroed. */
  Buffer dFeedForward() {
    return dropping.ofBranches() ? dFeedForward : dOutput;
  }

  /** Likewise of what the attention half adds. */
  Buffer dAttention() {
    return dropping.ofBranches() ? dAttention : dMiddle;
  }

  private Block block(LlamaConfig config) {
    int hidden = config.hiddenSize();
    return new Block(
        floats(hidden),
        factor(hidden),
        floats(1),
        floats(config.qkvDim()),
        floats(config.headCount()),
        factor(config.queryDim()),
        floats(hidden),
        factor(hidden),
        floats(1),
        floats(2 * config.intermediateSize()));
  }

  /** Whether blocks share what the backward pass reads, but for their inputs. */
  boolean recomputes() {
    return options.recomputesBlocks();
  }

  /** Where buffers come from. */
  private interface Room {
    Room NEW =
        (length, halves) -> halves ? Buffer.allocateWithHalves(length) : Buffer.allocate(length);

    Buffer of(long length, boolean halves);
  }

  /**
   * Bytes that a training set takes, its logits included; nothing is allocated.
   *
   * @param drops whether dropout is in the residual branches
   */
  static long trainingBytes(
      LlamaConfig config, int tokens, CpuOptions options, long maxLogits, boolean drops) {
    long[] bytes = {0};
    Room counted =
        (length, halves) -> {
          bytes[0] += halves ? Buffer.bytesWithHalves(length) : Buffer.bytesOf(length);
          return null;
        };
    Activations set = new Activations(config, tokens, true, options, maxLogits, counted);
    if (drops) {
      set.addDropped(config);
    }
    return bytes[0];
  }

  /** Bytes of the logits alone. */
  static long logitBytes(LlamaConfig config, int tokens, boolean inHalves, long maxLogits) {
    long floats = (long) logitRows(config, tokens, maxLogits) * Buffer.padded(config.vocabSize());
    return inHalves ? Buffer.bytesWithHalves(floats) : Buffer.bytesOf(floats);
  }

  private static int logitRows(LlamaConfig config, int tokens, long maxLogits) {
    long atOnce = maxLogits / Buffer.padded(config.vocabSize());
    return (int) Math.min(tokens, Math.max(FEWEST_LOGIT_ROWS, atOnce));
  }

  /** Bytes that this holds. */
  long bytes() {
    return owned.stream().mapToLong(Buffer::bytes).sum();
  }

  private Buffer floats(int width) {
    return own(room.of((long) tokens * width, false));
  }

  /** Floats that take part in matrix products. */
  private Buffer factor(int width) {
    return own(allocate((long) tokens * width));
  }

  private Buffer allocate(long length) {
    return room.of(length, options.inHalves());
  }

  private Buffer own(Buffer buffer) {
    owned.add(buffer);
    return buffer;
  }

  boolean holds(int wanted) {
    return wanted <= tokens;
  }

  Block block(int layer) {
    return blocks[layer];
  }

  /** Where a block's result goes: the next block's input. */
  Buffer outputOf(int layer) {
    return layer + 1 < blocks.length ? blocks[layer + 1].input() : output;
  }

  /** Notes which rows have a target and returns how many. */
  int collectTargets(TokenBatch batch) {
    int count = 0;
    for (int row = 0; row < batch.targets().length; row++) {
      if (batch.targets()[row] != TokenBatch.IGNORED) {
        targetRows[count++] = row;
      }
    }
    return count;
  }

  @Override
  public void close() {
    owned.forEach(Buffer::close);
  }
}
