// Causal attention by Hopper's asynchronous products (FlashAttention-3: Shah et al. 2024, arXiv
// 2407.08608, section 3.2: the next tile's scores and the last tile's output are multiplied while
// the exponentials are computed). Arguments and results are attention_W's; width W is 64 or 128.
#include "hopper.cuh"
#include "softmax.cuh"

#if HOPPER
template <int D, int GROUPS, int KEYS>
DEVICE void attention_forward_hopper(
    bf16* out, float* lse, const bf16* q, const bf16* k, const bf16* v, int seq, int keys, int H,
    int G, int width, int q_stride, int kv_stride, const int* starts) {
  constexpr int THREADS = GROUPS * 128, QUERIES = GROUPS * 64, N = KEYS / 8, TILE = KEYS * D;
  DYNAMIC_SHARED(bf16, queries);          // panels [QUERIES, D]
  bf16* key_tiles = queries + QUERIES * D;  // two of panels [KEYS, D]
  bf16* value_tiles = key_tiles + 2 * TILE;
  int lane = threadIdx.x % WARP;
  int head = blockIdx.x, sequence = blockIdx.y;
  // The longest rows first: the last blocks to run are the short ones.
  int row0 = (gridDim.z - 1 - blockIdx.z) * QUERIES;
  int shift = keys - seq;
  int group_row = threadIdx.x / 128 * 64, tile_row = threadIdx.x / WARP * 16;
  int warp_row = row0 + tile_row;
  const int* row_starts = starts == nullptr ? nullptr : starts + (long long)sequence * seq;
  q += ((long long)sequence * seq + row0) * q_stride + head * width;
  k += (long long)sequence * keys * kv_stride + head / (H / G) * width;
  v += (long long)sequence * keys * kv_stride + head / (H / G) * width;

  int first = row_starts == nullptr ? 0 : row_starts[row0] / KEYS;
  int last = (min(row0 + QUERIES, seq) - 1 + shift) / KEYS;
  int start[1][2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    start[0][i] = row_starts == nullptr ? 0 : row_starts[min(warp_row + i * 8 + lane / 4, seq - 1)];
  }

  auto fetch = [&](bf16* tiles, const bf16* from, int tile) {
    copy_panels<KEYS, D, THREADS>(
        tiles + ((last - tile) & 1) * TILE, from + (long long)tile * KEYS * kv_stride, kv_stride,
        keys - tile * KEYS, width);
  };
  copy_panels<QUERIES, D, THREADS>(queries, q, q_stride, seq - row0, width);
  fetch(key_tiles, k, last);
  commit_copies();

  float scale = rsqrtf((float)width);
  float sums[1][D / 8][4] = {};
  unsigned p[N / 2][4];
  RunningSoftmax<1> softmax;
  softmax.clear();
  bool pending = false;  // p waits to be multiplied by the values of tile + 1
  for (int tile = last; tile >= first; tile--) {
    wait_copies<0>();
    publish_copies();
    // This tile's keys and the last one's values are there; the last one's keys and the values
    // before those have been multiplied by all.
    __syncthreads();
    if (tile > first) fetch(key_tiles, k, tile - 1);
    fetch(value_tiles, v, tile);
    commit_copies();
    int key0 = tile * KEYS;
    if (key0 > row0 + group_row + 63 + shift) continue;
    float s[1][N][4], shrink[1][2];
    start_products();
    issue_times_transposed<D, QUERIES, KEYS, N>(
        s[0], queries + group_row * 64, key_tiles + ((last - tile) & 1) * TILE);
    commit_products();
    if (pending) {
      issue_times<N, D>(sums[0], p, value_tiles + ((last - tile - 1) & 1) * TILE);
      commit_products();
      wait_products<1>();
    } else {
      wait_products<0>();
    }
    settle<N>(s[0]);
    if (row_starts != nullptr || key0 + KEYS - 1 > warp_row + shift) {
      hide<1, N>(s, key0, warp_row + shift, start);
    }
    bool grows = soften<1, N>(s, shrink, softmax, scale * LOG2_E);
    wait_products<0>();
    settle<D / 8>(sums[0]);
    if (grows) scale_rows<1, D / 8>(sums, shrink);
    pack_fragments<N>(p, s[0]);
    pending = true;
  }
  wait_copies<0>();
  publish_copies();
  __syncthreads();
  start_products();
  issue_times<N, D>(sums[0], p, value_tiles + ((last - first) & 1) * TILE);
  commit_products();
  wait_products<0>();
  settle<D / 8>(sums[0]);

  float factors[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    float total = quad_sum(softmax.sum[0][i]);
    factors[i] = 1.f / total;
    int row = warp_row + i * 8 + lane / 4;
    if (lane % 4 == 0 && row < seq) {
      lse[((long long)sequence * H + head) * seq + row] =
          softmax.maximum[0][i] * scale + logf(total);
    }
  }
  store_panel_rows<QUERIES, D>(
      out + (((long long)sequence * seq + warp_row) * H + head) * width, (long long)H * width,
      seq - warp_row, width, queries, tile_row, sums[0], factors[0], factors[1]);
}

// grid (H, batch, ceil(seq / 128)); threads 256; shared bytes 49152 (W 64), 163840 (128).
#define ATTENTION_HOPPER(W, KEYS, BLOCKS)                                                        \
  extern "C" __global__ void __launch_bounds__(256, BLOCKS) attention_hopper_##W(                \
      real* out, float* lse, const real* q, const real* k, const real* v, int seq, int keys,     \
      int H, int G, int D, int q_stride, int kv_stride, const int* starts) {                     \
    attention_forward_hopper<W, 2, KEYS>(                                                        \
        out, lse, q, k, v, seq, keys, H, G, D, q_stride, kv_stride, starts);                     \
  }                                                                                              \
  CARAVAN_KERNEL(attention_hopper_##W)
ATTENTION_HOPPER(64, 64, 2)
ATTENTION_HOPPER(128, 128, 1)
#endif
