package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import caravan.model.engine.DropoutKeys;
import caravan.model.engine.Objective;

/**
 * The kernels of src/main/cuda with typed arguments, and each one's launch geometry, whose rule
 * stands above the kernel. Addresses are the GPU's; shapes are in the kernels' comments.
 */
final class Kernels {
  private static final int WARP = 32;

  /** Elements that one thread moves at a time. */
  private static final int PACK = 8;

  private static final int THREADS = 256;
  private static final int MOST_THREADS = 1024;

  /** Warps per block of one token's matrix-vector products. */
  private static final int TOKEN_WARPS = 4;

  /** Of the norm's gradient, which keeps more per thread. */
  private static final int BACKWARD_THREADS = 512;

  private static final int FLAT_ELEMENTS = THREADS * PACK;
  private static final int LARGE_VOCABULARY = 8192;

  private final Launch launch;
  private final int gainBlocks;
  private final LlamaConfig config;
  private final int hidden;
  private final int rowThreads;

  Kernels(Device device, byte[] image, LlamaConfig config) {
    this.launch = new Launch(device, image);
    this.config = config;
    this.hidden = config.hiddenSize();
    this.rowThreads = warps(hidden);
    this.gainBlocks = gainBlocks(device);
  }

  /**
   * Blocks of the norm's gradient, and rows of its partial sums. More keep more loads in flight,
   * but their sums then take longer than that saves.
   */
  static int gainBlocks(GpuMemory device) {
    return 4 * device.multiprocessors();
  }

  private static int warps(int width) {
    return Math.min(MOST_THREADS, divide(divide(width, PACK), WARP) * WARP);
  }

  private static int divide(long a, int b) {
    return (int) ((a + b - 1) / b);
  }

  Launch launch() {
    return launch;
  }

  void embed(long x, long embedding, long ids, int n) {
    launch.of("embed").put(x).put(embedding).put(ids).put(hidden);
    launch.run(n, 1, 1, rowThreads, 0);
  }

  /** y = x [tokens, width] with a share of values zeroed at a place; y may be x. */
  void drop(long y, long x, BatchOnDevice batch, int place, int width, double rate) {
    launch.of("drop").put(y).put(x);
    dropping(batch, place, width, rate);
  }

  /** y += the same. */
  void dropAdd(long y, long x, BatchOnDevice batch, int place, int width, double rate) {
    launch.of("drop_add").put(y).put(x);
    dropping(batch, place, width, rate);
  }

  /** Likewise of the stream or its gradient, in place. */
  void dropStream(long x, BatchOnDevice batch, int place, double rate) {
    launch.of("drop_stream").put(x);
    dropping(batch, place, hidden, rate);
  }

  private void dropping(BatchOnDevice batch, int place, int width, double rate) {
    launch.put(batch.keys()).put(place).put(batch.seq()).put(width);
    launch.put(DropoutKeys.threshold(rate)).put(DropoutKeys.scale(rate));
    launch.run(batch.tokens(), 1, 1, warps(width), 0);
  }

  void embedBackward(long gradient, long dx, long order, long starts, long ids, int distinct) {
    launch.of("embed_backward").put(gradient).put(dx).put(order).put(starts).put(ids).put(hidden);
    launch.run(distinct, 1, 1, rowThreads, 0);
  }

  void gatherRows(long out, long x, long index, int rows) {
    launch.of("gather_rows").put(out).put(x).put(index).put(hidden);
    launch.run(rows, 1, 1, rowThreads, 0);
  }

  void scatterRows(long out, long copy, long x, long index, int rows) {
    launch.of("scatter_rows").put(out).put(copy).put(x).put(index).put(hidden);
    launch.run(rows, 1, 1, rowThreads, 0);
  }

  void rmsnorm(long y, long reciprocal, long x, long gain, int n) {
    launch.of("rmsnorm").put(y).put(reciprocal).put(x).put(gain).put(hidden);
    launch.put((float) config.normEps()).run(n, 1, 1, rowThreads, 0);
  }

  /** sum = x + delta, y = RMSNorm(sum). */
  void addRmsnorm(long y, long reciprocal, long sum, long x, long delta, long gain, int n) {
    launch.of("add_rmsnorm").put(y).put(reciprocal).put(sum).put(x).put(delta).put(gain);
    launch.put(hidden).put((float) config.normEps()).run(n, 1, 1, rowThreads, 0);
  }

  /**
   * dx += the norm's gradient; the gain's is written to {@code gainGradient}, or added to it, or
   * left out where that is 0.
   */
  void rmsnormBackward(
      long dx,
      long copy,
      long partials,
      long dy,
      long x,
      long reciprocal,
      long gain,
      long gainGradient,
      boolean adds,
      int n) {
    int blocks = Math.min(n, gainBlocks);
    launch.of("rmsnorm_backward").put(dx).put(copy).put(partials).put(dy).put(x).put(reciprocal);
    int threads = Math.min(BACKWARD_THREADS, rowThreads);
    launch.put(gain).put(n).put(hidden).run(blocks, 1, 1, threads, Float.BYTES * hidden);
    if (gainGradient != 0) {
      launch.of("reduce_rows").put(gainGradient).put(partials).put(blocks).put(hidden);
      launch.put(adds ? 1 : 0).run(divide(hidden, WARP), 1, 1, THREADS, 0);
    }
  }

  /** Turns queries and keys in place; {@code inverse} turns gradients back. */
  void rope(long qkv, long table, int n, int seq, boolean inverse) {
    int heads = config.headCount() + config.kvHeadCount();
    int packs = divide(config.headDim() / 2, PACK);
    launch.of("rope").put(qkv).put(table).put(n).put(seq);
    launch.put(config.headCount()).put(config.kvHeadCount()).put(config.headDim());
    launch.put(0).put(inverse ? 1 : 0);
    launch.run(divide((long) n * heads * packs, THREADS), 1, 1, THREADS, 0);
  }

  /** Turns queries in place, and moves turned keys and values of new rows into the cache. */
  void ropeCache(long qkv, long cache, long table, int rows, int first) {
    int heads = config.headCount() + 2 * config.kvHeadCount();
    int packs = divide(config.headDim() / 2, PACK);
    launch.of("rope_cache").put(qkv).put(cache).put(table).put(rows).put(first);
    launch.put(config.headCount()).put(config.kvHeadCount()).put(config.headDim());
    launch.run(divide((long) rows * heads * packs, THREADS), 1, 1, THREADS, 0);
  }

  void swiglu(long h, long gateUp, int n) {
    int width = config.intermediateSize();
    int threads = Math.min(THREADS, warps(width));
    launch.of("swiglu").put(h).put(gateUp).put(width);
    launch.run(n, divide(divide(width, PACK), threads), 1, threads, 0);
  }

  /** The gradient takes gateUp's place; dh becomes h again. */
  void swigluBackward(long gateUp, long dh, int n) {
    int width = config.intermediateSize();
    int threads = Math.min(THREADS, warps(width));
    launch.of("swiglu_backward").put(gateUp).put(dh).put(dh).put(gateUp).put(width);
    launch.run(n, divide(divide(width, PACK), threads), 1, threads, 0);
  }

  /** Logits become their gradient. */
  void crossEntropy(long logits, long loss, long targets, int rows, int stride, float scale) {
    launch.of("cross_entropy").put(logits).put(loss).put(targets).put(config.vocabSize());
    launch.put(stride).put(scale).run(rows, 1, 1, vocabularyThreads(), 0);
  }

  /** Likewise, of more than cross entropy; {@code penalty} receives what there is beside it. */
  void penalizedCrossEntropy(
      long logits,
      long loss,
      long penalty,
      long targets,
      int rows,
      int stride,
      float scale,
      Objective objective) {
    launch.of("cross_entropy_penalized").put(logits).put(loss).put(penalty).put(targets);
    launch.put(config.vocabSize()).put(stride).put(scale);
    launch.put((float) objective.labelSmoothing()).put((float) objective.zLoss());
    launch.run(rows, 1, 1, vocabularyThreads(), 0);
  }

  void scoreRows(
      long logProbability, long greedy, long logits, long targets, int rows, int stride) {
    launch.of("score_rows").put(logProbability).put(greedy).put(logits).put(targets);
    launch.put(config.vocabSize()).put(stride).run(rows, 1, 1, vocabularyThreads(), 0);
  }

  private int vocabularyThreads() {
    return config.vocabSize() < LARGE_VOCABULARY ? THREADS : MOST_THREADS;
  }

  /** total (fp64) (+)= Σ x. */
  void sumAll(long total, long x, int n, boolean adds) {
    launch.of("sum_all").put(total).put(x).put(n).put(adds ? 1 : 0).run(1, 1, 1, THREADS, 0);
  }

  void toReal(long y, long x, long n) {
    launch.of("to_real").put(y).put(x).put(n).run(divide(n, FLAT_ELEMENTS), 1, 1, THREADS, 0);
  }

  /** y += x, x in the products' type. */
  void accumulateReal(long y, long x, long n) {
    launch.of("accumulate_real").put(y).put(0L).put(x).put(n);
    launch.run(divide(n, FLAT_ELEMENTS), 1, 1, THREADS, 0);
  }

  /** One token's row of the stream; {@code next} {id, position} goes to {@code state}. */
  void embedNext(long x, long state, long next, long embedding) {
    launch.of("embed_next").put(x).put(state).put(next).put(embedding).put(hidden);
    launch.early().run(1, 1, 1, rowThreads, 0);
  }

  /** y += w x of one token. */
  void addGemv(long y, long w, long x, int rows, int cols) {
    launch.of("add_gemv").put(y).put(w).put(x).put(rows).put(cols);
    launch.early().run(divide(rows, TOKEN_WARPS), 1, 1, TOKEN_WARPS * WARP, 0);
  }

  /** w RMSNorm(x) of one token as fp32 in y and as real in copy; either may be 0 for none. */
  void normGemv(long y, long copy, long w, long x, long gain, int rows) {
    launch.of("norm_gemv").put(y).put(copy).put(w).put(x).put(gain).put(rows).put(hidden);
    launch.put((float) config.normEps()).early();
    launch.run(divide(rows, 2 * TOKEN_WARPS), 1, 1, TOKEN_WARPS * WARP, 0);
  }

  /** h = silu(gate) ∘ up of one token, gate and up the halves of w RMSNorm(x). */
  void normGemvSwiglu(long h, long w, long x, long gain) {
    int rows = config.intermediateSize();
    launch.of("norm_gemv_swiglu").put(h).put(w).put(x).put(gain).put(rows).put(hidden);
    launch.put((float) config.normEps()).early();
    launch.run(divide(rows, TOKEN_WARPS), 1, 1, TOKEN_WARPS * WARP, 0);
  }

  /** Bytes of {@link #argmax}'s scratch, whose last 4 are cleared before its first use. */
  static final int ARGMAX_BYTES = (2 * WARP + 1) * Float.BYTES;

  /** best = the first id of the highest logit, -1 where one is not finite. */
  void argmax(long best, long scratch, long logits) {
    launch.of("argmax").put(best).put(scratch).put(scratch + 2L * WARP * Float.BYTES).put(logits);
    launch.put(config.vocabSize()).early().run(WARP, 1, 1, THREADS, 0);
  }
}
