// Causal attention on tensor cores (FlashAttention-2: Dao 2023, arXiv 2307.08691): a block of four
// warps takes a tile of queries over all the tiles of keys they may see, two of which are in shared
// memory, the second on its way. The arithmetic and the arguments are attention_plain's.
//
// A kernel attention_W serves every head width D <= W that is a multiple of 8, for bfloat16; query,
// key and value rows must start at 16-byte boundaries.
#include "softmax.cuh"

#if REAL_BF16
template <int D, int M, int WARPS, int KEYS>
DEVICE void attention_forward(
    bf16* out, float* lse, const bf16* q, const bf16* k, const bf16* v, int seq, int keys, int H,
    int G, int width, int q_stride, int kv_stride, const int* starts) {
  constexpr int THREADS = WARPS * WARP, QUERIES = WARPS * 16 * M, N = KEYS / 8;
  constexpr int STRIDE = TILE_STRIDE<D>;
  DYNAMIC_SHARED(bf16, queries);                // [QUERIES, STRIDE]
  bf16* stages = queries + QUERIES * STRIDE;    // two of keys [KEYS, STRIDE], then values
  int lane = threadIdx.x % WARP;
  int head = blockIdx.x, sequence = blockIdx.y;
  // The longest rows first: the last blocks to run are the short ones.
  int row0 = (gridDim.z - 1 - blockIdx.z) * QUERIES;
  int shift = keys - seq;
  int warp_row = row0 + threadIdx.x / WARP * 16 * M;
  const int* row_starts = starts == nullptr ? nullptr : starts + (long long)sequence * seq;
  q += ((long long)sequence * seq + row0) * q_stride + head * width;
  k += (long long)sequence * keys * kv_stride + head / (H / G) * width;
  v += (long long)sequence * keys * kv_stride + head / (H / G) * width;

  int first = row_starts == nullptr ? 0 : row_starts[row0] / KEYS;
  int last = (min(row0 + QUERIES, seq) - 1 + shift) / KEYS;
  int start[M][2];
#pragma unroll
  for (int i = 0; i < 2 * M; i++) {
    int row = min(warp_row + i * 8 + lane / 4, seq - 1);
    start[i / 2][i % 2] = row_starts == nullptr ? 0 : row_starts[row];
  }

  copy_tile<QUERIES, D, THREADS>(queries, q, q_stride, seq - row0, width);
  auto fetch = [&](int tile, int stage) {
    bf16* to = stages + stage * 2 * KEYS * STRIDE;
    long long at = (long long)tile * KEYS * kv_stride;
    copy_tile<KEYS, D, THREADS>(to, k + at, kv_stride, keys - tile * KEYS, width);
    copy_tile<KEYS, D, THREADS>(to + KEYS * STRIDE, v + at, kv_stride, keys - tile * KEYS, width);
    commit_copies();
  };
  fetch(last, 0);

  float scale = rsqrtf((float)width);
  float sums[M][D / 8][4] = {};
  RunningSoftmax<M> softmax;
  softmax.clear();
  const bf16* warp_queries = queries + (warp_row - row0) * STRIDE;
  for (int tile = last; tile >= first; tile--) {
    int stage = (last - tile) & 1;
    wait_copies<0>();
    __syncthreads();  // the tile is there, and nobody reads the other one any more
    if (tile > first) fetch(tile - 1, stage ^ 1);
    int key0 = tile * KEYS;
    if (key0 > warp_row + 16 * M - 1 + shift) continue;
    const bf16* tile_keys = stages + stage * 2 * KEYS * STRIDE;
    float s[M][N][4] = {};
    times_transposed<M, N, D>(s, warp_queries, tile_keys);
    if (row_starts != nullptr || key0 + KEYS - 1 > warp_row + shift) {
      hide<M, N>(s, key0, warp_row + shift, start);
    }
    float shrink[M][2];
    if (soften<M, N>(s, shrink, softmax, scale * LOG2_E)) scale_rows<M, D / 8>(sums, shrink);
    times<M, N, D>(sums, s, tile_keys + KEYS * STRIDE);
  }

  float factors[M][2];
#pragma unroll
  for (int i = 0; i < 2 * M; i++) {
    float total = quad_sum(softmax.sum[i / 2][i % 2]);
    factors[i / 2][i % 2] = 1.f / total;
    int row = warp_row + i * 8 + lane / 4;
    if (lane % 4 == 0 && row < seq) {
      lse[((long long)sequence * H + head) * seq + row] =
          softmax.maximum[i / 2][i % 2] * scale + logf(total);
    }
  }
  store_rows<M, D>(
      out + (((long long)sequence * seq + warp_row) * H + head) * width, (long long)H * width,
      seq - warp_row, width, queries + (warp_row - row0) * STRIDE, sums, factors);
}

// grid (H, batch, ceil(seq / 128)); threads 128; shared bytes 55296 (W 64), 53248 (96), 69632 (128).
#define ATTENTION(W, KEYS)                                                                       \
  extern "C" __global__ void __launch_bounds__(128, 2) attention_##W(                            \
      real* out, float* lse, const real* q, const real* k, const real* v, int seq, int keys,     \
      int H, int G, int D, int q_stride, int kv_stride, const int* starts) {                     \
    attention_forward<W, 2, 4, KEYS>(                                                            \
        out, lse, q, k, v, seq, keys, H, G, D, q_stride, kv_stride, starts);                     \
  }                                                                                              \
  CARAVAN_KERNEL(attention_##W)
ATTENTION(64, 64)
ATTENTION(96, 32)
ATTENTION(128, 32)
#endif
