// Causal attention on tensor cores (FlashAttention-2: Dao 2023, arXiv 2307.08691): a block of four
// warps takes a tile of queries over all the tiles of keys they may see, two of which are in shared
// memory, the second on its way. The arithmetic and the arguments are attention_plain's.
//
// A kernel attention_W serves every head width D <= W that is a multiple of 8, for bfloat16; query,
// key and value rows must start at 16-byte boundaries.
#include "tensor_core.cuh"

#if REAL_BF16
// The largest score of each row so far and this thread's share of its sum of exponentials.
template <int M>
struct RunningSoftmax {
  float maximum[M][2];
  float sum[M][2];
};

DEVICE float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

DEVICE float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// Scores of keys that a row may not see become minus infinity.
template <int M, int N>
DEVICE void hide(float s[M][N][4], int key0, int position0, const int starts[M][2]) {
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int key = key0 + n * 8 + lane % 4 * 2 + i % 2;
        int position = position0 + m * 16 + i / 2 * 8 + lane / 4;
        if (key > position || key < starts[m][i / 2]) s[m][n][i] = __uint_as_float(0xff800000u);
      }
    }
  }
}

// s becomes e^(s - maximum) and what was summed up before is scaled to the new maximum; `scale`
// takes scores to exponents of 2.
template <int M, int N, int D>
DEVICE void soften(
    float s[M][N][4], float out[M][D / 8][4], RunningSoftmax<M>& softmax, float scale) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float maximum = softmax.maximum[m][half];
#pragma unroll
      for (int n = 0; n < N; n++) {
        maximum = fmaxf(maximum, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
      }
      maximum = quad_max(maximum);
      // A row that has seen no key yet must not subtract infinities.
      float offset = maximum < NEGATIVE_INFINITY ? 0.f : maximum * scale;
      float shrink = exp2_fast(softmax.maximum[m][half] * scale - offset);
      softmax.maximum[m][half] = maximum;
      float sum = softmax.sum[m][half] * shrink;
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; i++) {
          s[m][n][i] = exp2_fast(s[m][n][i] * scale - offset);
          sum += s[m][n][i];
        }
      }
      softmax.sum[m][half] = sum;
#pragma unroll
      for (int n = 0; n < D / 8; n++) {
        out[m][n][2 * half] *= shrink;
        out[m][n][2 * half + 1] *= shrink;
      }
    }
  }
}

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
#pragma unroll
  for (int i = 0; i < 2 * M; i++) {
    softmax.maximum[i / 2][i % 2] = __uint_as_float(0xff800000u);
    softmax.sum[i / 2][i % 2] = 0;
  }
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
    soften<M, N, D>(s, sums, softmax, scale * LOG2_E);
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
