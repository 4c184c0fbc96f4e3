// Gradients of causal attention on tensor cores (FlashAttention-2: Dao 2023, arXiv 2307.08691,
// algorithm 2) without its atomic additions, so that a run repeats bit by bit: one kernel takes a
// tile of keys over all queries that see it, and all heads of its group, for dK and dV; another takes
// a tile of queries over its keys for dQ. Both compute the probabilities again from lse.
//
// Arguments as attention_backward_q_plain's; kernels _W serve every D <= W that is a multiple of 8.
#include "tensor_core.cuh"

#if REAL_BF16
// The key kernel works on transposed scores [keys, queries]: the accumulators of P^T and dS^T then
// are, as they stand, the left factors of dV = P^T dO and dK = dS^T Q.
template <int D, int M, int WARPS, int QUERIES>
DEVICE void attention_backward_kv(
    bf16* dqkv, const bf16* dout, const bf16* qkv, const float* lse, const float* delta, int seq,
    int H, int G, int width, const int* starts) {
  constexpr int THREADS = WARPS * WARP, KEYS = WARPS * 16 * M, N = QUERIES / 8;
  constexpr int STRIDE = TILE_STRIDE<D>, STAGE = 2 * QUERIES * STRIDE;
  DYNAMIC_SHARED(bf16, keys);               // [KEYS, STRIDE]
  bf16* values = keys + KEYS * STRIDE;      // [KEYS, STRIDE]
  bf16* stages = values + KEYS * STRIDE;    // two of queries [QUERIES, STRIDE], then dO
  float* statistics = (float*)(stages + 2 * STAGE);  // two of lse, delta, start [QUERIES]
  int lane = threadIdx.x % WARP;
  int group = blockIdx.x, sequence = blockIdx.y;
  int key0 = blockIdx.z * KEYS;
  int warp_row = threadIdx.x / WARP * 16 * M;
  int warp_key = key0 + warp_row;
  int stride = (H + 2 * G) * width;
  long long first_row = (long long)sequence * seq;
  const int* row_starts = starts == nullptr ? nullptr : starts + first_row;
  qkv += first_row * stride;
  dqkv += first_row * stride;
  dout += first_row * H * width;
  const bf16* k = qkv + (long long)key0 * stride + (H + group) * width;

  int first = key0 / QUERIES;
  int last = (seq - 1) / QUERIES;
  // Queries of later documents see none of these keys.
  while (row_starts != nullptr && last > first && row_starts[last * QUERIES] >= key0 + KEYS) last--;
  int tiles = last - first + 1;
  int rounds = tiles * (H / G);
  auto fetch = [&](int round, int stage) {
    int head = group * (H / G) + round / tiles;
    int query0 = (first + round % tiles) * QUERIES;
    bf16* to = stages + stage * STAGE;
    copy_tile<QUERIES, D, THREADS>(
        to, qkv + (long long)query0 * stride + head * width, stride, seq - query0, width);
    copy_tile<QUERIES, D, THREADS>(
        to + QUERIES * STRIDE, dout + ((long long)query0 * H + head) * width, H * width,
        seq - query0, width);
    long long at = ((long long)sequence * H + head) * seq;
    for (int i = threadIdx.x; i < QUERIES; i += THREADS) {
      // Rows past the end read zeros: p is then 1, but dO and dP - delta are 0.
      float* row = statistics + stage * 3 * QUERIES + i;
      int query = query0 + i;
      bool valid = query < seq;
      copy_async<4>(row, lse + at + (valid ? query : 0), valid);
      copy_async<4>(row + QUERIES, delta + at + (valid ? query : 0), valid);
      if (row_starts != nullptr) {
        copy_async<4>(row + 2 * QUERIES, row_starts + (valid ? query : 0), valid);
      }
    }
    commit_copies();
  };
  copy_tile<KEYS, D, THREADS>(keys, k, stride, seq - key0, width);
  copy_tile<KEYS, D, THREADS>(values, k + G * width, stride, seq - key0, width);
  fetch(0, 0);

  float scale = rsqrtf((float)width);
  float dk[M][D / 8][4] = {}, dv[M][D / 8][4] = {};
  for (int round = 0; round < rounds; round++) {
    int stage = round & 1;
    wait_copies<0>();
    __syncthreads();
    if (round + 1 < rounds) fetch(round + 1, stage ^ 1);
    int query0 = (first + round % tiles) * QUERIES;
    if (query0 + QUERIES - 1 < warp_key) continue;
    const bf16* queries = stages + stage * STAGE;
    const bf16* gradients = queries + QUERIES * STRIDE;
    const float* row = statistics + stage * 3 * QUERIES + lane % 4 * 2;
    bool some_hidden = row_starts != nullptr || query0 < warp_key + 16 * M - 1;

    float p[M][N][4] = {};
    times_transposed<M, N, D>(p, keys + warp_row * STRIDE, queries);
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float offset = row[n * 8 + i] * LOG2_E;
#pragma unroll
        for (int m = 0; m < 2 * M; m++) {
          float& score = p[m / 2][n][m % 2 * 2 + i];
          score = exp2_fast(score * (scale * LOG2_E) - offset);
        }
      }
    }
    if (some_hidden) {
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          int query = query0 + n * 8 + lane % 4 * 2 + i;
          int start = row_starts == nullptr ? 0 : ((const int*)row)[2 * QUERIES + n * 8 + i];
#pragma unroll
          for (int m = 0; m < 2 * M; m++) {
            int key = warp_key + m * 8 + lane / 4;
            if (key > query || key < start) p[m / 2][n][m % 2 * 2 + i] = 0;
          }
        }
      }
    }
    times<M, N, D>(dv, p, gradients);
    float ds[M][N][4] = {};
    times_transposed<M, N, D>(ds, values + warp_row * STRIDE, gradients);
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float offset = row[QUERIES + n * 8 + i];
#pragma unroll
        for (int m = 0; m < 2 * M; m++) {
          ds[m / 2][n][m % 2 * 2 + i] =
              p[m / 2][n][m % 2 * 2 + i] * (ds[m / 2][n][m % 2 * 2 + i] - offset);
        }
      }
    }
    times<M, N, D>(dk, ds, queries);
  }

  float ones[M][2], scales[M][2];
#pragma unroll
  for (int i = 0; i < 2 * M; i++) ones[i / 2][i % 2] = 1.f, scales[i / 2][i % 2] = scale;
  bf16* to = dqkv + (long long)warp_key * stride + (H + group) * width;
  store_rows<M, D>(to, stride, seq - warp_key, width, keys + warp_row * STRIDE, dk, scales);
  store_rows<M, D>(
      to + G * width, stride, seq - warp_key, width, values + warp_row * STRIDE, dv, ones);
}

template <int D, int M, int WARPS, int KEYS>
DEVICE void attention_backward_q(
    bf16* dqkv, const bf16* dout, const bf16* qkv, const float* lse, const float* delta, int seq,
    int H, int G, int width, const int* starts) {
  constexpr int THREADS = WARPS * WARP, QUERIES = WARPS * 16 * M, N = KEYS / 8;
  constexpr int STRIDE = TILE_STRIDE<D>, STAGE = 2 * KEYS * STRIDE;
  DYNAMIC_SHARED(bf16, queries);                 // [QUERIES, STRIDE]
  bf16* gradients = queries + QUERIES * STRIDE;  // [QUERIES, STRIDE]
  bf16* stages = gradients + QUERIES * STRIDE;   // two of keys [KEYS, STRIDE], then values
  int lane = threadIdx.x % WARP;
  int head = blockIdx.x, sequence = blockIdx.y;
  int row0 = (gridDim.z - 1 - blockIdx.z) * QUERIES;
  int tile_row = threadIdx.x / WARP * 16 * M;
  int warp_row = row0 + tile_row;
  int stride = (H + 2 * G) * width;
  long long first_row = (long long)sequence * seq;
  const int* row_starts = starts == nullptr ? nullptr : starts + first_row;
  const bf16* k = qkv + first_row * stride + (H + head / (H / G)) * width;

  int first = row_starts == nullptr ? 0 : row_starts[row0] / KEYS;
  int last = (min(row0 + QUERIES, seq) - 1) / KEYS;
  int start[M][2];
  float row_lse[M][2], row_delta[M][2];
#pragma unroll
  for (int i = 0; i < 2 * M; i++) {
    int row = min(warp_row + i * 8 + lane / 4, seq - 1);
    long long at = ((long long)sequence * H + head) * seq + row;
    start[i / 2][i % 2] = row_starts == nullptr ? 0 : row_starts[row];
    row_lse[i / 2][i % 2] = lse[at] * LOG2_E;
    row_delta[i / 2][i % 2] = delta[at];
  }
  auto fetch = [&](int tile, int stage) {
    bf16* to = stages + stage * STAGE;
    const bf16* from = k + (long long)tile * KEYS * stride;
    copy_tile<KEYS, D, THREADS>(to, from, stride, seq - tile * KEYS, width);
    copy_tile<KEYS, D, THREADS>(
        to + KEYS * STRIDE, from + G * width, stride, seq - tile * KEYS, width);
    commit_copies();
  };
  copy_tile<QUERIES, D, THREADS>(
      queries, qkv + (first_row + row0) * stride + head * width, stride, seq - row0, width);
  copy_tile<QUERIES, D, THREADS>(
      gradients, dout + ((first_row + row0) * H + head) * width, H * width, seq - row0, width);
  fetch(first, 0);

  float scale = rsqrtf((float)width);
  float dq[M][D / 8][4] = {};
  for (int tile = first; tile <= last; tile++) {
    int stage = (tile - first) & 1;
    wait_copies<0>();
    __syncthreads();
    if (tile < last) fetch(tile + 1, stage ^ 1);
    int key0 = tile * KEYS;
    if (key0 > warp_row + 16 * M - 1) continue;
    const bf16* tile_keys = stages + stage * STAGE;
    float p[M][N][4] = {}, ds[M][N][4] = {};
    times_transposed<M, N, D>(p, queries + tile_row * STRIDE, tile_keys);
    times_transposed<M, N, D>(ds, gradients + tile_row * STRIDE, tile_keys + KEYS * STRIDE);
    bool some_hidden = row_starts != nullptr || key0 + KEYS - 1 > warp_row;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          float weight = exp2_fast(p[m][n][i] * (scale * LOG2_E) - row_lse[m][i / 2]);
          float gradient = weight * (ds[m][n][i] - row_delta[m][i / 2]);
          if (some_hidden) {
            int key = key0 + n * 8 + lane % 4 * 2 + i % 2;
            int position = warp_row + m * 16 + i / 2 * 8 + lane / 4;
            if (key > position || key < start[m][i / 2]) gradient = 0;
          }
          ds[m][n][i] = gradient;
        }
      }
    }
    times<M, N, D>(dq, ds, tile_keys);
  }
  float scales[M][2];
#pragma unroll
  for (int i = 0; i < 2 * M; i++) scales[i / 2][i % 2] = scale;
  store_rows<M, D>(
      dqkv + (first_row + warp_row) * stride + head * width, stride, seq - warp_row, width,
      queries + tile_row * STRIDE, dq, scales);
}

// attention_backward_kv_W: grid (G, batch, ceil(seq / 128)) for W 64, else (G, batch,
//   ceil(seq / 64)); threads 128; shared bytes 56064 (W 64), 81408 (96), 105984 (128).
#define ATTENTION_BACKWARD_KV(W, M, QUERIES)                                                     \
  extern "C" __global__ void __launch_bounds__(128, 2) attention_backward_kv_##W(                \
      real* dqkv, const real* dout, const real* qkv, const float* lse, const float* delta,       \
      int seq, int H, int G, int D, const int* starts) {                                         \
    attention_backward_kv<W, M, 4, QUERIES>(                                                     \
        dqkv, dout, qkv, lse, delta, seq, H, G, D, starts);                                      \
  }                                                                                              \
  CARAVAN_KERNEL(attention_backward_kv_##W)
ATTENTION_BACKWARD_KV(64, 2, 32)
ATTENTION_BACKWARD_KV(96, 1, 64)
ATTENTION_BACKWARD_KV(128, 1, 64)

// attention_backward_q_W: grid (H, batch, ceil(seq / 128)); threads 256 for W 128, else 128; shared
//   bytes 55296 (W 64), 79872 (96), 104448 (128).
#define ATTENTION_BACKWARD_Q(W, M, WARPS, BLOCKS)                                                \
  extern "C" __global__ void __launch_bounds__(WARPS * 32, BLOCKS) attention_backward_q_##W(     \
      real* dqkv, const real* dout, const real* qkv, const float* lse, const float* delta,       \
      int seq, int H, int G, int D, const int* starts) {                                         \
    attention_backward_q<W, M, WARPS, 32>(                                                       \
        dqkv, dout, qkv, lse, delta, seq, H, G, D, starts);                                      \
  }                                                                                              \
  CARAVAN_KERNEL(attention_backward_q_##W)
ATTENTION_BACKWARD_Q(64, 2, 4, 2)
ATTENTION_BACKWARD_Q(96, 2, 4, 2)
ATTENTION_BACKWARD_Q(128, 1, 8, 1)
#endif
