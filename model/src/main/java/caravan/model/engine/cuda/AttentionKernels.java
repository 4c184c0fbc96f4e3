package caravan.model.engine.cuda;

import caravan.model.LlamaConfig;
import java.util.List;

/**
 * Causal grouped-query attention: training's, its gradient, and the decoder's. In bf16 with heads
 * of up to 128 components, a multiple of 8, it runs on tensor cores; else by the plain kernels.
 */
final class AttentionKernels {
  private static final int WARP_ROWS = 4;
  private static final int THREADS = 128;

  /** Keys that one block of a decoding step takes at least. */
  private static final int KEYS_PER_SHARE = 64;

  private static final int MOST_SHARES = 64;

  /** Rows per block of {@code attention_delta}. */
  private static final int DELTA_ROWS = 16;

  /** Compute capability of the GPUs that have matrix instructions for whole warp groups. */
  private static final int HOPPER = 90;

  /**
   * Names and geometry of the tensor core kernels for heads of up to {@code width} components; see
   * their comments.
   *
   * @param suffix of the three kernels' names
   * @param rows of queries per block
   * @param keys per block of the keys' and values' gradient
   * @param threads of the forward pass and of the keys' gradient
   * @param shared bytes of the forward pass
   */
  private record Tile(
      int width,
      String suffix,
      int rows,
      int keys,
      int threads,
      int queryThreads,
      int shared,
      int queryShared,
      int keyShared) {}

  private static final Tile PLAIN =
      new Tile(256, "plain", WARP_ROWS, WARP_ROWS, THREADS, THREADS, 0, 0, 0);

  private static final List<Tile> TENSOR_CORES =
      List.of(
          new Tile(64, "64", 128, 128, 128, 128, 55296, 55296, 56064),
          new Tile(96, "96", 128, 64, 128, 128, 53248, 79872, 81408),
          new Tile(128, "128", 128, 64, 128, 256, 69632, 104448, 105984));

  private static final List<Tile> WARP_GROUPS =
      List.of(
          new Tile(64, "hopper_64", 128, 128, 256, 256, 49152, 65536, 101376),
          new Tile(128, "hopper_128", 128, 128, 256, 256, 163840, 196608, 132608));

  private final Launch launch;
  private final int heads;
  private final int kvHeads;
  private final int headDim;
  private final int realBytes;

  private final Tile tile;

  AttentionKernels(Launch launch, LlamaConfig config, Precision precision, int capability) {
    this.launch = launch;
    this.heads = config.headCount();
    this.kvHeads = config.kvHeadCount();
    this.headDim = config.headDim();
    this.realBytes = precision.bytes();
    boolean fits = precision.half() && headDim % 8 == 0;
    List<Tile> tiles = capability == HOPPER ? WARP_GROUPS : TENSOR_CORES;
    this.tile = tiles.stream().filter(t -> fits && t.width() >= headDim).findFirst().orElse(PLAIN);
  }

  private static int blocks(int seq, int rows) {
    return (seq + rows - 1) / rows;
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

  /**
   * @param documents int [batch × seq] the first position each row sees, or 0
   */
  void forward(long out, long logSums, long qkv, int batch, int seq, long documents) {
    run(out, logSums, qkv, keys(qkv), values(qkv), batch, seq, seq, width(), documents);
  }

  /** Rows of a prompt over the cache [keys, 2 · kvHeads · headDim], which holds their keys too. */
  void prompt(long out, long logSums, long qkv, long cache, int rows, int keys) {
    long values = cache + (long) kvHeads * headDim * realBytes;
    run(out, logSums, qkv, cache, values, 1, rows, keys, 2 * kvHeads * headDim, 0);
  }

  private void run(
      long out,
      long logSums,
      long q,
      long k,
      long v,
      int batch,
      int seq,
      int keys,
      int kvStride,
      long documents) {
    launch.of("attention_" + tile.suffix()).put(out).put(logSums).put(q).put(k).put(v);
    launch.put(seq).put(keys).put(heads).put(kvHeads).put(headDim);
    launch.put(width()).put(kvStride).put(documents);
    launch.run(heads, batch, blocks(seq, tile.rows()), tile.threads(), tile.shared());
  }

  /**
   * Writes all of dQkv, before queries and keys are turned back.
   *
   * @param documents as in {@link #forward}
   */
  void backward(
      long dQkv,
      long dOut,
      long out,
      long qkv,
      long logSums,
      long delta,
      int batch,
      int seq,
      long documents) {
    launch.of("attention_delta").put(delta).put(dOut).put(out).put(seq).put(heads).put(headDim);
    launch.run(heads, batch, blocks(seq, DELTA_ROWS), THREADS, 0);
    arguments("attention_backward_kv_" + tile.suffix(), dQkv, dOut, qkv, logSums, delta, seq);
    launch.put(heads).put(kvHeads).put(headDim).put(documents);
    launch.run(kvHeads, batch, blocks(seq, tile.keys()), tile.threads(), tile.keyShared());
    arguments("attention_backward_q_" + tile.suffix(), dQkv, dOut, qkv, logSums, delta, seq);
    launch.put(heads).put(kvHeads).put(headDim).put(documents);
    launch.run(heads, batch, blocks(seq, tile.rows()), tile.queryThreads(), tile.queryShared());
  }

  private void arguments(
      String kernel, long dQkv, long dOut, long qkv, long logSums, long delta, int seq) {
    launch.of(kernel).put(dQkv).put(dOut).put(qkv).put(logSums).put(delta).put(seq);
  }

  /** Blocks per head of {@link #decode} where a sequence can have {@code maxLength} tokens. */
  private static int shares(int maxLength) {
    return Math.min(MOST_SHARES, (maxLength + KEYS_PER_SHARE - 1) / KEYS_PER_SHARE);
  }

  /** Bytes of {@link #decode}'s scratch, cleared before its first use. */
  long scratchBytes(int maxLength) {
    return (long) heads * (shares(maxLength) * (headDim + 2) + 1) * Float.BYTES;
  }

  /**
   * The token whose position is at {@code state}: turns its query and key, puts its key and value
   * into the cache, and attends to all that is there.
   */
  void decode(
      long out, long scratch, long qkv, long cache, long angles, long state, int maxLength) {
    launch.of("decode_attention").put(out).put(scratch + (long) heads * Integer.BYTES).put(scratch);
    launch.put(qkv).put(cache).put(angles).put(state).put(heads).put(kvHeads).put(headDim);
    launch.early().run(heads, shares(maxLength), 1, THREADS, 0);
  }
}
