// One token at a time: matrix-vector products at memory speed, a key/value cache, attention split
// over the keys (Flash-Decoding: Dao et al. 2023).
#include "caravan.cuh"

// The float sum of one row of w times x, in every lane of the warp.
DEVICE float row_times(const real* row, const real* x, int cols, int lane) {
  bool aligned = is_aligned(cols);
  float sum = 0;
#pragma unroll 4
  for (int at = lane * PACK; at < cols; at += WARP * PACK) {
    float a[PACK], b[PACK];
    load_pack(row, at, cols, aligned, a);
    load_pack(x, at, cols, aligned, b);
#pragma unroll
    for (int i = 0; i < PACK; i++) sum += a[i] * b[i];
  }
  return warp_sum(sum);
}

// y [rows] = (add ? y : 0) + w [rows, cols] x [cols], and the same as real in copy; y or copy may be
// null (add needs y). grid ceil(rows / 8); threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256)
gemv(float* y, real* copy, const real* w, const real* x, int rows, int cols, int add) {
  int row = blockIdx.x * 8 + threadIdx.x / WARP;
  int lane = threadIdx.x % WARP;
  if (row >= rows) return;
  float sum = row_times(w + (long long)row * cols, x, cols, lane);
  if (lane == 0) {
    if (add) sum += y[row];
    if (y != nullptr) y[row] = sum;
    if (copy != nullptr) from_float(copy[row], sum);
  }
}
CARAVAN_KERNEL(gemv)

// h [f] = silu(gate) up, where gate and up are the halves of w [2f, cols] x [cols].
// grid ceil(f / 8); threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256)
gemv_swiglu(real* h, const real* w, const real* x, int f, int cols) {
  int row = blockIdx.x * 8 + threadIdx.x / WARP;
  int lane = threadIdx.x % WARP;
  if (row >= f) return;
  float gate = row_times(w + (long long)row * cols, x, cols, lane);
  float up = row_times(w + (long long)(f + row) * cols, x, cols, lane);
  if (lane == 0) from_float(h[row], gate / (1.f + exp_fast(-gate)) * up);
}
CARAVAN_KERNEL(gemv_swiglu)

// Turns the queries of qkv [rows, (H + 2G) D] in place and puts turned keys and values into cache
// [max length, 2 G D] (keys, then values), row r at position first + r. cos_sin as in rope.
// grid ceil(rows (H + 2G) ceil(D/2 / 8) / 256); threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256) rope_cache(
    real* qkv, real* cache, const float* cos_sin, int rows, int first, int H, int G, int D) {
  int half = D / 2;
  int packs = (half + PACK - 1) / PACK;
  int heads = H + 2 * G;
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= (long long)rows * heads * packs) return;
  int at = (int)(index % packs) * PACK;
  int head = (int)(index / packs % heads);
  int row = (int)(index / packs / heads);
  bool aligned = is_aligned(half);
  real* from = qkv + ((long long)row * heads + head) * D;
  real* to = head < H ? from : cache + ((long long)(first + row) * 2 * G + head - H) * D;
  float x[PACK], y[PACK];
  load_pack(from, at, half, aligned, x);
  load_pack(from + half, at, half, aligned, y);
  if (head < H + G) {
    const float* angles = cos_sin + (long long)(first + row) * D;
    float c[PACK], s[PACK];
    load_pack(angles, at, half, aligned, c);
    load_pack(angles + half, at, half, aligned, s);
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      float turned = x[i] * c[i] - y[i] * s[i];
      y[i] = y[i] * c[i] + x[i] * s[i];
      x[i] = turned;
    }
  }
  store_pack(to, at, half, aligned, x);
  store_pack(to + half, at, half, aligned, y);
}
CARAVAN_KERNEL(rope_cache)

constexpr int DECODE_WARPS = 4;
constexpr int DECODE_HEAD = 256;
constexpr int DECODE_LANE = DECODE_HEAD / WARP;

// Attention of one new token over cache [max length, 2 G D] rows 0 .. length - 1, one share of the
// keys per block. q [H D], turned. partial [H, splits, D + 2]: the unnormalized output of a share,
// its maximum score and its sum of exponentials. D <= 256.
// grid (H, splits); threads 128; no shared bytes. splits: any; about length / 256, at most 64.
extern "C" __global__ void __launch_bounds__(128) decode_attention(
    float* partial, const real* q, const real* cache, int length, int H, int G, int D) {
  __shared__ float query[DECODE_HEAD];
  __shared__ float outputs[DECODE_WARPS][DECODE_HEAD];
  __shared__ float maxima[DECODE_WARPS], totals[DECODE_WARPS];
  int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  int head = blockIdx.x;
  for (int i = threadIdx.x; i < D; i += blockDim.x) query[i] = to_float(q[head * D + i]);
  __syncthreads();
  int stride = 2 * G * D;
  const real* k = cache + head / (H / G) * D;
  const real* v = k + G * D;
  int share = (length + gridDim.y - 1) / gridDim.y;
  int begin = blockIdx.y * share;
  int end = begin + share < length ? begin + share : length;
  float scale = rsqrtf((float)D);
  float maximum = NEGATIVE_INFINITY, sum = 0;
  float sums[DECODE_LANE] = {};
  bool aligned = is_aligned(D);
  for (int from = begin + warp * WARP; from < end; from += DECODE_WARPS * WARP) {
    float score = NEGATIVE_INFINITY;
    if (from + lane < end) {
      const real* key = k + (long long)(from + lane) * stride;
      score = 0;
      for (int at = 0; at < D; at += PACK) {
        float x[PACK];
        load_pack(key, at, D, aligned, x);
        for (int i = 0; i < PACK && at + i < D; i++) score += query[at + i] * x[i];
      }
      score *= scale;
    }
    float higher = fmaxf(maximum, warp_max(score));
    float shrink = exp_fast(maximum - higher);
    float p = from + lane < end ? exp_fast(score - higher) : 0.f;
    sum = sum * shrink + warp_sum(p);
    maximum = higher;
#pragma unroll
    for (int i = 0; i < DECODE_LANE; i++) sums[i] *= shrink;
    for (int j = 0; j < WARP && from + j < end; j++) {
      float factor = __shfl_sync(0xffffffffu, p, j);
      const real* value = v + (long long)(from + j) * stride;
#pragma unroll
      for (int i = 0; i < DECODE_LANE; i++) {
        if (i * WARP + lane < D) sums[i] += factor * to_float(value[i * WARP + lane]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < DECODE_LANE; i++) outputs[warp][i * WARP + lane] = sums[i];
  if (lane == 0) maxima[warp] = maximum, totals[warp] = sum;
  __syncthreads();
  float highest = NEGATIVE_INFINITY, total = 0;
  for (int w = 0; w < DECODE_WARPS; w++) highest = fmaxf(highest, maxima[w]);
  for (int w = 0; w < DECODE_WARPS; w++) total += totals[w] * exp_fast(maxima[w] - highest);
  float* to = partial + ((long long)head * gridDim.y + blockIdx.y) * (D + 2);
  for (int i = threadIdx.x; i < D; i += blockDim.x) {
    float x = 0;
    for (int w = 0; w < DECODE_WARPS; w++) x += outputs[w][i] * exp_fast(maxima[w] - highest);
    to[i] = x;
  }
  if (threadIdx.x == 0) to[D] = highest, to[D + 1] = total;
}
CARAVAN_KERNEL(decode_attention)

// out [H D] from the shares of decode_attention. grid H; threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(128)
decode_combine(real* out, const float* partial, int splits, int D) {
  const float* parts = partial + (long long)blockIdx.x * splits * (D + 2);
  float highest = NEGATIVE_INFINITY, total = 0;
  for (int s = 0; s < splits; s++) highest = fmaxf(highest, parts[s * (D + 2) + D]);
  for (int s = 0; s < splits; s++) {
    total += parts[s * (D + 2) + D + 1] * exp_fast(parts[s * (D + 2) + D] - highest);
  }
  for (int i = threadIdx.x; i < D; i += blockDim.x) {
    float sum = 0;
    for (int s = 0; s < splits; s++) {
      sum += parts[s * (D + 2) + i] * exp_fast(parts[s * (D + 2) + D] - highest);
    }
    from_float(out[blockIdx.x * D + i], sum / total);
  }
}
CARAVAN_KERNEL(decode_combine)
