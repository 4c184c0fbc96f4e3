// Clipping by the gradient's global norm and AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101),
// all parameters in one launch.
#include "caravan.cuh"

// partial [blocks] = sum of squares of the block's share of x [n].
// grid any number of blocks; threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256)
sum_squares(double* partial, const float* x, long long n) {
  __shared__ double sums[256];
  double sum = 0;
  long long step = (long long)gridDim.x * 256 * PACK;
  for (long long at = ((long long)blockIdx.x * 256 + threadIdx.x) * PACK; at < n; at += step) {
    int rest = (int)(n - at < PACK ? n - at : PACK);
    float v[PACK];
    load_pack(x + at, 0, rest, rest == PACK, v);
    float squares = 0;
#pragma unroll
    for (int i = 0; i < PACK; i++) squares += v[i] * v[i];
    sum += squares;
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) partial[blockIdx.x] = sums[0];
}
CARAVAN_KERNEL(sum_squares)

// clip [2] = {factor for the gradient, its norm}; factor 1 when clip_norm is 0 or not exceeded.
// grid 1; threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256)
clip_factor(float* clip, const double* partial, int blocks, float clip_norm) {
  __shared__ double sums[256];
  double sum = 0;
  for (int i = threadIdx.x; i < blocks; i += 256) sum += partial[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    double norm = sqrt(sums[0]);
    clip[0] = clip_norm > 0 && norm > clip_norm ? (float)(clip_norm / norm) : 1.f;
    clip[1] = (float)norm;
  }
}
CARAVAN_KERNEL(clip_factor)

// g' = clip[0] g                    m = b1 m + c1 g'          v = b2 v + c2 g'^2
// p -= rate m / (sqrt(v) root + epsilon) + decay_rate decay p        copy = p as real (may be null)
//
// rate = learning rate / (1 - b1^t), root = 1 / sqrt(1 - b2^t), c1 = 1 - b1, c2 = 1 - b2,
// decay_rate = learning rate. Elements before range_ends[0] have decay range_decays[0], those up to
// range_ends[1] range_decays[1], ...; the last end is n. Pointers are 16-byte aligned.
// grid ceil(n / 2048); threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256) adamw(
    float* p, float* m, float* v, const float* g, real* copy, const float* clip,
    const long long* range_ends, const float* range_decays, int ranges, long long n, float rate,
    float root, float b1, float c1, float b2, float c2, float epsilon, float decay_rate) {
  long long block = (long long)blockIdx.x * 256 * PACK;
  long long at = block + threadIdx.x * PACK;
  if (at >= n) return;
  // The range of the block's first element by bisection, the thread's own from there by steps.
  int range = 0;
  for (int last = ranges - 1; range < last;) {
    int middle = (range + last) / 2;
    if (block < range_ends[middle]) {
      last = middle;
    } else {
      range = middle + 1;
    }
  }
  int rest = (int)(n - at < PACK ? n - at : PACK);
  bool whole = rest == PACK;
  float factor = clip[0];
  float weight[PACK], first[PACK], second[PACK], gradient[PACK];
  load_pack(p + at, 0, rest, whole, weight);
  load_pack(m + at, 0, rest, whole, first);
  load_pack(v + at, 0, rest, whole, second);
  load_pack(g + at, 0, rest, whole, gradient);
#pragma unroll
  for (int i = 0; i < PACK; i++) {
    while (range < ranges - 1 && at + i >= range_ends[range]) range++;
    float scaled = gradient[i] * factor;
    first[i] = first[i] * b1 + scaled * c1;
    second[i] = second[i] * b2 + scaled * scaled * c2;
    float step = first[i] * rate / (sqrtf(second[i]) * root + epsilon);
    weight[i] -= step + decay_rate * range_decays[range] * weight[i];
  }
  store_pack(p + at, 0, rest, whole, weight);
  store_pack(m + at, 0, rest, whole, first);
  store_pack(v + at, 0, rest, whole, second);
  if (copy != nullptr) store_pack(copy + at, 0, rest, whole, weight);
}
CARAVAN_KERNEL(adamw)
