// Causal softmax attention for every type and every even D up to 256: one warp per row, float
// arithmetic. attention.cu has the tensor core kernels for bfloat16.
//
//   S = Q K^T / sqrt(D)     P = softmax(S) over the keys a row sees     O = P V
//   delta = rowsum(dO O)    dS = P (dO V^T - delta) / sqrt(D)
//   dV = P^T dO             dQ = dS K        dK = dS^T Q, dK and dV summed over a group's heads
//
// Query i of a sequence stands at position i + keys - seq and sees keys start .. position, where
// start is 0 or, for packed documents, starts[batch, i] (never falling within a sequence).
// lse and delta are [batch, H, seq]. Queries of head h use key/value head h / (H / G).
#include "caravan.cuh"

constexpr int ROWS_PER_BLOCK = 4;
constexpr int LARGEST_HEAD = 256;
constexpr int PER_LANE = LARGEST_HEAD / WARP;

DEVICE float dot_shared(const float* a, const real* b, int D) {
  float sum = 0;
  for (int i = 0; i < D; i++) sum += a[i] * to_float(b[i]);
  return sum;
}

// Components lane, lane + 32, ... of factor * row added to sums.
DEVICE void add_row(float sums[PER_LANE], float factor, const real* row, int D, int lane) {
#pragma unroll
  for (int i = 0; i < PER_LANE; i++) {
    if (i * WARP + lane < D) sums[i] += factor * to_float(row[i * WARP + lane]);
  }
}

DEVICE void store_row(real* row, const float sums[PER_LANE], float factor, int D, int lane) {
#pragma unroll
  for (int i = 0; i < PER_LANE; i++) {
    if (i * WARP + lane < D) from_float(row[i * WARP + lane], sums[i] * factor);
  }
}

DEVICE void to_shared(float* to, const real* row, int D, int lane) {
  for (int i = lane; i < D; i += WARP) to[i] = to_float(row[i]);
  __syncwarp();
}

// out [batch * seq, H * D], q [batch * seq] rows q_stride apart, k and v [batch * keys] rows
// kv_stride apart: parts of a qkv matrix, or of a decoder's cache. starts [batch, seq] or null.
// grid (H, batch, ceil(seq / 4)); threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(128) attention_plain(
    real* out, float* lse, const real* q, const real* k, const real* v, int seq, int keys, int H,
    int G, int D, int q_stride, int kv_stride, const int* starts) {
  __shared__ float queries[ROWS_PER_BLOCK][LARGEST_HEAD];
  int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  int head = blockIdx.x, sequence = blockIdx.y;
  int row = blockIdx.z * ROWS_PER_BLOCK + warp;
  if (row >= seq) return;
  long long index = (long long)sequence * seq + row;
  long long kv = (long long)sequence * keys * kv_stride + head / (H / G) * D;
  to_shared(queries[warp], q + index * q_stride + head * D, D, lane);
  int end = row + keys - seq + 1;
  float scale = rsqrtf((float)D);
  float maximum = NEGATIVE_INFINITY, sum = 0;
  float sums[PER_LANE] = {};
  for (int from = starts == nullptr ? 0 : starts[index]; from < end; from += WARP) {
    float score = NEGATIVE_INFINITY;
    if (from + lane < end) {
      score = dot_shared(queries[warp], k + kv + (long long)(from + lane) * kv_stride, D) * scale;
    }
    float higher = fmaxf(maximum, warp_max(score));
    float shrink = exp_fast(maximum - higher);
    float p = from + lane < end ? exp_fast(score - higher) : 0.f;
    sum = sum * shrink + warp_sum(p);
    maximum = higher;
#pragma unroll
    for (int i = 0; i < PER_LANE; i++) sums[i] *= shrink;
    for (int j = 0; j < WARP && from + j < end; j++) {
      float factor = __shfl_sync(0xffffffffu, p, j);
      add_row(sums, factor, v + kv + (long long)(from + j) * kv_stride, D, lane);
    }
  }
  store_row(out + index * H * D + head * D, sums, 1.f / sum, D, lane);
  if (lane == 0) lse[((long long)sequence * H + head) * seq + row] = maximum + logf(sum);
}
CARAVAN_KERNEL(attention_plain)

// delta [batch, H, seq] = rowsum(dout out), both [batch * seq, H * D]; eight lanes to a row.
// grid (H, batch, ceil(seq / 16)); threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(128)
attention_delta(float* delta, const real* dout, const real* out, int seq, int H, int D) {
  int row = blockIdx.z * 16 + threadIdx.x / 8;
  long long at = (((long long)blockIdx.y * seq + row) * H + blockIdx.x) * D;
  bool aligned = is_aligned(D);
  float sum = 0;
  for (int i = threadIdx.x % 8 * PACK; i < D && row < seq; i += 8 * PACK) {
    float a[PACK], b[PACK];
    load_pack(dout + at, i, D, aligned, a);
    load_pack(out + at, i, D, aligned, b);
#pragma unroll
    for (int j = 0; j < PACK; j++) sum += a[j] * b[j];
  }
  for (int mask = 4; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);
  if (threadIdx.x % 8 == 0 && row < seq) {
    delta[((long long)blockIdx.y * H + blockIdx.x) * seq + row] = sum;
  }
}
CARAVAN_KERNEL(attention_delta)

// The query columns of dqkv [batch * seq, (H + 2G) D], from qkv of that shape and dout
// [batch * seq, H * D]. grid (H, batch, ceil(seq / 4)); threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(128) attention_backward_q_plain(
    real* dqkv, const real* dout, const real* qkv, const float* lse, const float* delta, int seq,
    int H, int G, int D, const int* starts) {
  __shared__ float queries[ROWS_PER_BLOCK][LARGEST_HEAD];
  __shared__ float gradients[ROWS_PER_BLOCK][LARGEST_HEAD];
  int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  int head = blockIdx.x;
  int row = blockIdx.z * ROWS_PER_BLOCK + warp;
  if (row >= seq) return;
  int stride = (H + 2 * G) * D;
  long long first = (long long)blockIdx.y * seq;
  to_shared(queries[warp], qkv + (first + row) * stride + head * D, D, lane);
  to_shared(gradients[warp], dout + ((first + row) * H + head) * D, D, lane);
  const real* k = qkv + first * stride + (H + head / (H / G)) * D;
  const real* v = k + G * D;
  long long statistic = ((long long)blockIdx.y * H + head) * seq + row;
  float scale = rsqrtf((float)D);
  float sums[PER_LANE] = {};
  for (int from = starts == nullptr ? 0 : starts[first + row]; from <= row; from += WARP) {
    float ds = 0;
    if (from + lane <= row) {
      long long at = (long long)(from + lane) * stride;
      float p = exp_fast(dot_shared(queries[warp], k + at, D) * scale - lse[statistic]);
      ds = p * (dot_shared(gradients[warp], v + at, D) - delta[statistic]);
    }
    for (int j = 0; j < WARP && from + j <= row; j++) {
      float factor = __shfl_sync(0xffffffffu, ds, j);
      add_row(sums, factor, k + (long long)(from + j) * stride, D, lane);
    }
  }
  store_row(dqkv + (first + row) * stride + head * D, sums, scale, D, lane);
}
CARAVAN_KERNEL(attention_backward_q_plain)

// The key and value columns of dqkv; arguments as above.
// grid (G, batch, ceil(seq / 4)); threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(128) attention_backward_kv_plain(
    real* dqkv, const real* dout, const real* qkv, const float* lse, const float* delta, int seq,
    int H, int G, int D, const int* starts) {
  __shared__ float keys[ROWS_PER_BLOCK][LARGEST_HEAD];
  __shared__ float values[ROWS_PER_BLOCK][LARGEST_HEAD];
  int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  int row = blockIdx.z * ROWS_PER_BLOCK + warp;
  if (row >= seq) return;
  int stride = (H + 2 * G) * D;
  long long first = (long long)blockIdx.y * seq;
  long long at = (first + row) * stride + (H + (int)blockIdx.x) * D;
  to_shared(keys[warp], qkv + at, D, lane);
  to_shared(values[warp], qkv + at + G * D, D, lane);
  float scale = rsqrtf((float)D);
  float dk[PER_LANE] = {}, dv[PER_LANE] = {};
  for (int head = blockIdx.x * (H / G); head < (int)(blockIdx.x + 1) * (H / G); head++) {
    const real* q = qkv + first * stride + head * D;
    const real* gradient = dout + first * H * D + head * D;
    long long statistic = ((long long)blockIdx.y * H + head) * seq;
    for (int from = row; from < seq; from += WARP) {
      int query = from + lane;
      float p = 0, ds = 0;
      if (query < seq && (starts == nullptr || starts[first + query] <= row)) {
        float score = dot_shared(keys[warp], q + (long long)query * stride, D) * scale;
        p = exp_fast(score - lse[statistic + query]);
        float dp = dot_shared(values[warp], gradient + (long long)query * H * D, D);
        ds = p * (dp - delta[statistic + query]);
      }
      for (int j = 0; j < WARP && from + j < seq; j++) {
        add_row(dv, __shfl_sync(0xffffffffu, p, j), gradient + (long long)(from + j) * H * D, D, lane);
        add_row(dk, __shfl_sync(0xffffffffu, ds, j), q + (long long)(from + j) * stride, D, lane);
      }
    }
  }
  store_row(dqkv + at, dk, scale, D, lane);
  store_row(dqkv + at + G * D, dv, 1.f, D, lane);
}
CARAVAN_KERNEL(attention_backward_kv_plain)
