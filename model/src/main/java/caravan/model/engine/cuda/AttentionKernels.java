package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;

/**
 * Causal grouped-query attention: training's, its gradient, and the decoder's. In bf16 with heads
 * of up to 128 components, a multiple of 8, it runs on tensor cores; else by the plain kernels.
 */
final class AttentionKernels {
  private static final int WARP_ROWS = 4;
  private static final int THREADS = 128;

  /** Rows per block of the tensor core kernels. */
  private static final int TILE_ROWS = 128;

  /** Head widths that the tensor core kernels are compiled for. */
  private static final int[] TILE_WIDTHS = {64, 96, 128};

  /** Keys that one block of a decoding step takes. */
  private static final int KEYS_PER_SPLIT = 256;

  private static final int MOST_SPLITS = 64;

  private final Launch launch;
  private final int heads;
  private final int kvHeads;
  private final int headDim;
  private final int realBytes;

  /** Width of the tensor core kernels; 0 for the plain ones. */
  private final int tile;

  AttentionKernels(Launch launch, LlamaConfig config, Precision precision) {
    this.launch = launch;
    this.heads = config.headCount();
    this.kvHeads = config.kvHeadCount();
    this.headDim = config.headDim();
    this.realBytes = precision.bytes();
    this.tile = precision.half() && headDim % 8 == 0 ? tile(headDim) : 0;
  }

  private static int tile(int headDim) {
    for (int width : TILE_WIDTHS) {
      if (width >= headDim) {
        return width;
      }
    }
    return 0;
  }

  private static int blocks(int seq, int rows) {
    return (seq + rows - 1) / rows;
  }

  private int tileBytes() {
    return 768 * (tile + 8);
  }

  private long keys(long qkv) {
    return qkv + (long) heads * headDim * realBytes;
  }

  private long values(long qkv) {
    return keys(qkv) + (long) kvHeads * headDim * realBytes;
  }

  private int width() {
    return (heads + 2 * kvHeads) * headDim;
  }

  void forward(long out, long logSums, long qkv, int batch, int seq) {
    plain(out, logSums, qkv, keys(qkv), values(qkv), batch, seq, seq, width());
  }

  /** Rows of a prompt over the cache [keys, 2 · kvHeads · headDim], which holds their keys too. */
  void prompt(long out, long logSums, long qkv, long cache, int rows, int keys) {
    long values = cache + (long) kvHeads * headDim * realBytes;
    plain(out, logSums, qkv, cache, values, 1, rows, keys, 2 * kvHeads * headDim);
  }

  private void plain(
      long out, long logSums, long q, long k, long v, int batch, int seq, int keys, int kvStride) {
    launch
        .of(tile == 0 ? "attention_plain" : "attention_" + tile)
        .put(out)
        .put(logSums)
        .put(q)
        .put(k)
        .put(v)
        .put(seq)
        .put(keys);
    launch.put(heads).put(kvHeads).put(headDim).put(width()).put(kvStride).put(0L);
    if (tile == 0) {
      launch.run(heads, batch, blocks(seq, WARP_ROWS), THREADS, 0);
    } else {
      launch.run(heads, batch, blocks(seq, TILE_ROWS), THREADS, tileBytes());
    }
  }

  /** Writes all of dQkv, before queries and keys are turned back. */
  void backward(
      long dQkv, long dOut, long out, long qkv, long logSums, long delta, int batch, int seq) {
    launch.of("attention_delta").put(delta).put(dOut).put(out).put(seq).put(heads).put(headDim);
    launch.run(heads, batch, blocks(seq, WARP_ROWS), THREADS, 0);
    String kind = tile == 0 ? "plain" : String.valueOf(tile);
    arguments("attention_backward_kv_" + kind, dQkv, dOut, qkv, logSums, delta, seq);
    if (tile == 0) {
      launch.run(kvHeads, batch, blocks(seq, WARP_ROWS), THREADS, 0);
    } else {
      int keys = tile == 64 ? 128 : 64;
      int extra = tile == 64 ? 768 : 1536;
      launch.run(kvHeads, batch, blocks(seq, keys), THREADS, tileBytes() + extra);
    }
    arguments("attention_backward_q_" + kind, dQkv, dOut, qkv, logSums, delta, seq);
    if (tile == 0) {
      launch.run(heads, batch, blocks(seq, WARP_ROWS), THREADS, 0);
    } else {
      launch.run(heads, batch, blocks(seq, TILE_ROWS), THREADS, tileBytes());
    }
  }

  private void arguments(
      String kernel, long dQkv, long dOut, long qkv, long logSums, long delta, int seq) {
    launch.of(kernel).put(dQkv).put(dOut).put(qkv).put(logSums).put(delta).put(seq);
    launch.put(heads).put(kvHeads).put(headDim).put(0L);
  }

  static int splits(int length) {
    return Math.min(MOST_SPLITS, (length + KEYS_PER_SPLIT - 1) / KEYS_PER_SPLIT);
  }

  /** fp32 elements of {@link #decode}'s scratch for any length. */
  long scratchElements() {
    return (long) heads * MOST_SPLITS * (headDim + 2);
  }

  /** One token's queries over the cache's first {@code length} rows. */
  void decode(long out, long scratch, long q, long cache, int length) {
    int splits = splits(length);
    launch.of("decode_attention").put(scratch).put(q).put(cache).put(length);
    launch.put(heads).put(kvHeads).put(headDim).run(heads, splits, 1, THREADS, 0);
    launch.of("decode_combine").put(out).put(scratch).put(splits).put(headDim);
    launch.run(heads, 1, 1, THREADS, 0);
  }
}
