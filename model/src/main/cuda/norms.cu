// Root mean square normalization (Zhang and Sennrich 2019, arXiv 1910.07467) with the residual
// stream's addition fused in.
//
//   r = 1 / sqrt(mean(x^2) + eps)      y = x r gain
//   dgain = sum of rows of dy x r      dx += r dy gain - x r^3 / d sum(dy gain x)
//
// The stream x and its gradient dx are float: they are sums over all layers.
#include "caravan.cuh"

// One row of a block of threads; a thread keeps its first 8 elements and reads further ones again.
template <bool ADD>
DEVICE void normalize_row(
    real* y, float* rstd, float* sum, const float* x, const real* delta, const float* gain, int d,
    float epsilon) {
  bool aligned = is_aligned(d);
  int first = threadIdx.x * PACK;
  int step = blockDim.x * PACK;
  float kept[PACK];
  float squares = 0;
  for (int at = first; at < d; at += step) {
    float v[PACK];
    load_pack(x, at, d, aligned, v);
    if (ADD) {
      float more[PACK];
      load_pack(delta, at, d, aligned, more);
#pragma unroll
      for (int i = 0; i < PACK; i++) v[i] += more[i];
      store_pack(sum, at, d, aligned, v);
    }
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      squares += v[i] * v[i];
      if (at == first) kept[i] = v[i];
    }
  }
  float r = rsqrtf(block_sum(squares) / d + epsilon);
  if (threadIdx.x == 0) *rstd = r;
  for (int at = first; at < d; at += step) {
    float v[PACK], g[PACK];
    if (at != first) load_pack(ADD ? sum : x, at, d, aligned, v);
    load_pack(gain, at, d, aligned, g);
#pragma unroll
    for (int i = 0; i < PACK; i++) v[i] = (at == first ? kept[i] : v[i]) * r * g[i];
    store_pack(y, at, d, aligned, v);
  }
}

// y [n, d], rstd [n], x [n, d], gain [d].
// grid n; threads ceil(d / 8) rounded up to whole warps, at most 1024; no shared bytes.
extern "C" __global__ void __launch_bounds__(1024)
rmsnorm(real* y, float* rstd, const float* x, const float* gain, int d, float epsilon) {
  long long at = (long long)blockIdx.x * d;
  normalize_row<false>(y + at, rstd + blockIdx.x, nullptr, x + at, nullptr, gain, d, epsilon);
}
CARAVAN_KERNEL(rmsnorm)

// sum = x + delta, then y and rstd of sum; sum may be x. Geometry of rmsnorm.
extern "C" __global__ void __launch_bounds__(1024) add_rmsnorm(
    real* y, float* rstd, float* sum, const float* x, const real* delta, const float* gain, int d,
    float epsilon) {
  long long at = (long long)blockIdx.x * d;
  normalize_row<true>(
      y + at, rstd + blockIdx.x, sum + at, x + at, delta + at, gain, d, epsilon);
}
CARAVAN_KERNEL(add_rmsnorm)

// dx [n, d] holds the gradient that flows around the norm and receives the norm's own; copy [n, d]
// receives the sum as real for the next matrix product (may be null). dgain_partial [blocks, d] is
// overwritten: block b sums rows b, b + blocks, ...; reduce_rows finishes the sum.
// grid min(n, any number of blocks); threads as rmsnorm, but at most 512; shared bytes 4 d.
extern "C" __global__ void __launch_bounds__(512) rmsnorm_backward(
    float* dx, real* copy, float* dgain_partial, const real* dy, const float* x, const float* rstd,
    const float* gain, int n, int d) {
  DYNAMIC_SHARED(float, dgain);
  bool aligned = is_aligned(d);
  int first = threadIdx.x * PACK;
  int step = blockDim.x * PACK;
  // A thread meets only its own elements of dgain: no barrier is needed.
  for (int at = first; at < d; at += step) {
    for (int i = 0; i < PACK && at + i < d; i++) dgain[at + i] = 0;
  }
  for (int row = blockIdx.x; row < n; row += gridDim.x) {
    long long start = (long long)row * d;
    float r = rstd[row];
    float keptX[PACK], keptDirect[PACK];
    float dot = 0;
    for (int at = first; at < d; at += step) {
      float gradient[PACK], value[PACK], g[PACK], sums[PACK];
      load_pack(dy + start, at, d, aligned, gradient);
      load_pack(x + start, at, d, aligned, value);
      load_pack(gain, at, d, aligned, g);
      load_pack(dgain, at, d, aligned, sums);
#pragma unroll
      for (int i = 0; i < PACK; i++) {
        float product = gradient[i] * value[i];
        dot += product * g[i];
        sums[i] += product * r;
        if (at == first) keptX[i] = value[i], keptDirect[i] = gradient[i] * g[i];
      }
      store_pack(dgain, at, d, aligned, sums);
    }
    float pull = -block_sum(dot) * r * r * r / d;
    for (int at = first; at < d; at += step) {
      float value[PACK], direct[PACK], out[PACK];
      if (at != first) {
        float g[PACK];
        load_pack(dy + start, at, d, aligned, direct);
        load_pack(x + start, at, d, aligned, value);
        load_pack(gain, at, d, aligned, g);
#pragma unroll
        for (int i = 0; i < PACK; i++) direct[i] *= g[i];
      }
      load_pack(dx + start, at, d, aligned, out);
#pragma unroll
      for (int i = 0; i < PACK; i++) {
        float v = at == first ? keptX[i] : value[i];
        float w = at == first ? keptDirect[i] : direct[i];
        out[i] += v * pull + w * r;
      }
      store_pack(dx + start, at, d, aligned, out);
      if (copy != nullptr) store_pack(copy + start, at, d, aligned, out);
    }
  }
  for (int at = first; at < d; at += step) {
    float sums[PACK];
    load_pack(dgain, at, d, aligned, sums);
    store_pack(dgain_partial + (long long)blockIdx.x * d, at, d, aligned, sums);
  }
}
CARAVAN_KERNEL(rmsnorm_backward)

// out [d] = (accumulate ? out : 0) + sum over rows of partial [rows, d], always in the same order.
// grid ceil(d / 32); threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256)
reduce_rows(float* out, const float* partial, int rows, int d, int accumulate) {
  __shared__ float sums[8][WARP];
  int column = blockIdx.x * WARP + threadIdx.x % WARP;
  int group = threadIdx.x / WARP;
  float sum = 0;
  // Eight loads in flight: a column is long, and few blocks share out the columns.
#pragma unroll 8
  for (int row = group; row < rows; row += 8) {
    if (column < d) sum += partial[(long long)row * d + column];
  }
  sums[group][threadIdx.x % WARP] = sum;
  __syncthreads();
  if (group == 0 && column < d) {
    for (int i = 1; i < 8; i++) sum += sums[i][threadIdx.x];
    out[column] = accumulate ? out[column] + sum : sum;
  }
}
CARAVAN_KERNEL(reduce_rows)
