// The gradients of attention_backward.cu by Hopper's asynchronous products: the second product runs
// while the exponentials of the first are computed, the third while the second is turned into score
// gradients. Products of one round never reach into the next: the compiler would serialize all of
// them. Arguments and results are attention_backward_kv_W's and _q_W's; W is 64 or 128.
#include "hopper.cuh"

#if HOPPER
template <int D, int GROUPS, int QUERIES>
DEVICE void attention_backward_kv_hopper(
    bf16* dqkv, const bf16* dout, const bf16* qkv, const float* lse, const float* delta, int seq,
    int H, int G, int width, const int* starts) {
  constexpr int THREADS = GROUPS * 128, KEYS = GROUPS * 64, N = QUERIES / 8, STAGES = 2;
  constexpr int STAGE = 2 * QUERIES * D;
  DYNAMIC_SHARED(bf16, keys);                 // panels [KEYS, D]
  bf16* values = keys + KEYS * D;             // panels [KEYS, D]
  bf16* stages = values + KEYS * D;           // two of panels of queries [QUERIES, D], then dO
  float* statistics = (float*)(stages + STAGES * STAGE);  // two of lse, delta, start [QUERIES]
  int lane = threadIdx.x % WARP;
  int group = blockIdx.x, sequence = blockIdx.y;
  int key0 = blockIdx.z * KEYS;
  int group_row = threadIdx.x / 128 * 64, tile_row = threadIdx.x / WARP * 16;
  int warp_key = key0 + tile_row;
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
  auto fetch = [&](int round) {
    int head = group * (H / G) + round / tiles;
    int query0 = (first + round % tiles) * QUERIES;
    bf16* to = stages + round % STAGES * STAGE;
    copy_panels<QUERIES, D, THREADS>(
        to, qkv + (long long)query0 * stride + head * width, stride, seq - query0, width);
    copy_panels<QUERIES, D, THREADS>(
        to + QUERIES * D, dout + ((long long)query0 * H + head) * width, H * width, seq - query0,
        width);
    long long at = ((long long)sequence * H + head) * seq;
    for (int i = threadIdx.x; i < QUERIES; i += THREADS) {
      // Rows past the end read zeros: p is then 1, but dO and dP - delta are 0.
      float* row = statistics + round % STAGES * 3 * QUERIES + i;
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
  copy_panels<KEYS, D, THREADS>(keys, k, stride, seq - key0, width);
  copy_panels<KEYS, D, THREADS>(values, k + G * width, stride, seq - key0, width);
  fetch(0);

  float scale = rsqrtf((float)width);
  float dk[D / 8][4] = {}, dv[D / 8][4] = {};
  for (int round = 0; round < rounds; round++) {
    wait_copies<0>();
    publish_copies();
    __syncthreads();  // the tiles are there, and nobody reads the last round's any more
    if (round + 1 < rounds) fetch(round + 1);
    int query0 = (first + round % tiles) * QUERIES;
    if (query0 + QUERIES - 1 < key0 + group_row) continue;
    const bf16* queries = stages + round % STAGES * STAGE;
    const bf16* gradients = queries + QUERIES * D;
    const float* row = statistics + round % STAGES * 3 * QUERIES + lane % 4 * 2;

    float p[N][4], ds[N][4];
    unsigned fragments[N / 2][4], more_fragments[N / 2][4];
    start_products();
    issue_times_transposed<D, KEYS, QUERIES, N>(p, keys + group_row * 64, queries);
    commit_products();
    issue_times_transposed<D, KEYS, QUERIES, N>(ds, values + group_row * 64, gradients);
    commit_products();
    wait_products<1>();
    settle<N>(p);
    bool some_hidden = row_starts != nullptr || query0 < warp_key + 15;
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float offset = row[n * 8 + i] * LOG2_E;
#pragma unroll
        for (int m = 0; m < 2; m++) {
          p[n][m * 2 + i] = exp2_fast(p[n][m * 2 + i] * (scale * LOG2_E) - offset);
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
          for (int m = 0; m < 2; m++) {
            int key = warp_key + m * 8 + lane / 4;
            if (key > query || key < start) p[n][m * 2 + i] = 0;
          }
        }
      }
    }
    pack_fragments<N>(fragments, p);
    start_products();
    issue_times<N, D>(dv, fragments, gradients);
    commit_products();
    wait_products<1>();
    settle<N>(ds);
    // P as it was rounded for dV: there are no registers for its floats as well.
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int m = 0; m < 2; m++) {
        unsigned both = fragments[n / 2][n % 2 * 2 + m];
        ds[n][m * 2] = low_half(both) * (ds[n][m * 2] - row[QUERIES + n * 8]);
        ds[n][m * 2 + 1] = high_half(both) * (ds[n][m * 2 + 1] - row[QUERIES + n * 8 + 1]);
      }
    }
    pack_fragments<N>(more_fragments, ds);
    start_products();
    issue_times<N, D>(dk, more_fragments, queries);
    commit_products();
    wait_products<0>();
    settle<D / 8>(dk);
    settle<D / 8>(dv);
  }
  __syncthreads();  // nobody reads keys and values any more
  bf16* to = dqkv + (long long)warp_key * stride + (H + group) * width;
  store_panel_rows<KEYS, D>(to, stride, seq - warp_key, width, keys, tile_row, dk, scale, scale);
  store_panel_rows<KEYS, D>(
      to + G * width, stride, seq - warp_key, width, values, tile_row, dv, 1.f, 1.f);
}

template <int D, int GROUPS, int KEYS>
DEVICE void attention_backward_q_hopper(
    bf16* dqkv, const bf16* dout, const bf16* qkv, const float* lse, const float* delta, int seq,
    int H, int G, int width, const int* starts) {
  constexpr int THREADS = GROUPS * 128, QUERIES = GROUPS * 64, N = KEYS / 8, STAGES = 2;
  constexpr int STAGE = 2 * KEYS * D;
  DYNAMIC_SHARED(bf16, queries);              // panels [QUERIES, D]
  bf16* gradients = queries + QUERIES * D;    // panels [QUERIES, D]
  bf16* stages = gradients + QUERIES * D;     // two of panels of keys [KEYS, D], then values
  int lane = threadIdx.x % WARP;
  int head = blockIdx.x, sequence = blockIdx.y;
  int row0 = (gridDim.z - 1 - blockIdx.z) * QUERIES;
  int group_row = threadIdx.x / 128 * 64, tile_row = threadIdx.x / WARP * 16;
  int warp_row = row0 + tile_row;
  int stride = (H + 2 * G) * width;
  long long first_row = (long long)sequence * seq;
  const int* row_starts = starts == nullptr ? nullptr : starts + first_row;
  const bf16* k = qkv + first_row * stride + (H + head / (H / G)) * width;

  int first = row_starts == nullptr ? 0 : row_starts[row0] / KEYS;
  int last = (min(row0 + QUERIES, seq) - 1) / KEYS;
  int start[2];
  float row_lse[2], row_delta[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    int row = min(warp_row + i * 8 + lane / 4, seq - 1);
    long long at = ((long long)sequence * H + head) * seq + row;
    start[i] = row_starts == nullptr ? 0 : row_starts[row];
    row_lse[i] = lse[at] * LOG2_E;
    row_delta[i] = delta[at];
  }
  auto fetch = [&](int tile) {
    bf16* to = stages + (tile - first) % STAGES * STAGE;
    const bf16* from = k + (long long)tile * KEYS * stride;
    copy_panels<KEYS, D, THREADS>(to, from, stride, seq - tile * KEYS, width);
    copy_panels<KEYS, D, THREADS>(
        to + KEYS * D, from + G * width, stride, seq - tile * KEYS, width);
    commit_copies();
  };
  copy_panels<QUERIES, D, THREADS>(
      queries, qkv + (first_row + row0) * stride + head * width, stride, seq - row0, width);
  copy_panels<QUERIES, D, THREADS>(
      gradients, dout + ((first_row + row0) * H + head) * width, H * width, seq - row0, width);
  fetch(first);

  float scale = rsqrtf((float)width);
  float dq[D / 8][4] = {};
  for (int tile = first; tile <= last; tile++) {
    wait_copies<0>();
    publish_copies();
    __syncthreads();
    if (tile < last) fetch(tile + 1);
    int key0 = tile * KEYS;
    if (key0 > row0 + group_row + 63) continue;
    const bf16* tile_keys = stages + (tile - first) % STAGES * STAGE;
    float p[N][4], ds[N][4];
    unsigned fragments[N / 2][4];
    start_products();
    issue_times_transposed<D, QUERIES, KEYS, N>(p, queries + group_row * 64, tile_keys);
    commit_products();
    issue_times_transposed<D, QUERIES, KEYS, N>(
        ds, gradients + group_row * 64, tile_keys + KEYS * D);
    commit_products();
    wait_products<1>();
    settle<N>(p);
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        p[n][i] = exp2_fast(p[n][i] * (scale * LOG2_E) - row_lse[i / 2]);
      }
    }
    if (row_starts != nullptr || key0 + KEYS - 1 > warp_row) {
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          int key = key0 + n * 8 + lane % 4 * 2 + i % 2;
          int position = warp_row + i / 2 * 8 + lane / 4;
          if (key > position || key < start[i / 2]) p[n][i] = 0;
        }
      }
    }
    wait_products<0>();
    settle<N>(ds);
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) ds[n][i] = p[n][i] * (ds[n][i] - row_delta[i / 2]);
    }
    pack_fragments<N>(fragments, ds);
    start_products();
    issue_times<N, D>(dq, fragments, tile_keys);
    commit_products();
    wait_products<0>();
    settle<D / 8>(dq);
  }
  __syncthreads();  // nobody reads the queries any more
  store_panel_rows<QUERIES, D>(
      dqkv + (first_row + warp_row) * stride + head * width, stride, seq - warp_row, width, queries,
      tile_row, dq, scale, scale);
}

// attention_backward_kv_hopper_W: grid (G, batch, ceil(seq / 128)); threads 256; shared bytes 101376
//   (W 64), 132608 (128).
#define ATTENTION_BACKWARD_KV_HOPPER(W, QUERIES)                                                 \
  extern "C" __global__ void __launch_bounds__(256, 1) attention_backward_kv_hopper_##W(         \
      real* dqkv, const real* dout, const real* qkv, const float* lse, const float* delta,       \
      int seq, int H, int G, int D, const int* starts) {                                         \
    attention_backward_kv_hopper<W, 2, QUERIES>(                                                 \
        dqkv, dout, qkv, lse, delta, seq, H, G, D, starts);                                      \
  }                                                                                              \
  CARAVAN_KERNEL(attention_backward_kv_hopper_##W)
ATTENTION_BACKWARD_KV_HOPPER(64, 128)
ATTENTION_BACKWARD_KV_HOPPER(128, 64)

// attention_backward_q_hopper_W: grid (H, batch, ceil(seq / 128)); threads 256; shared bytes 65536
//   (W 64), 196608 (128).
#define ATTENTION_BACKWARD_Q_HOPPER(W, KEYS, BLOCKS)                                             \
  extern "C" __global__ void __launch_bounds__(256, BLOCKS) attention_backward_q_hopper_##W(     \
      real* dqkv, const real* dout, const real* qkv, const float* lse, const float* delta,       \
      int seq, int H, int G, int D, const int* starts) {                                         \
    attention_backward_q_hopper<W, 2, KEYS>(                                                     \
        dqkv, dout, qkv, lse, delta, seq, H, G, D, starts);                                      \
  }                                                                                              \
  CARAVAN_KERNEL(attention_backward_q_hopper_##W)
ATTENTION_BACKWARD_Q_HOPPER(64, 64, 2)
ATTENTION_BACKWARD_Q_HOPPER(128, 128, 1)
#endif
