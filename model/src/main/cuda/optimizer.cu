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

// Which elements an update moves, and their weight decay: elements before ends[0] have decays[0],
// those up to ends[1] decays[1], ...; the last end is n. A negative decay: the element stays as it is
// (its gradient is zero).
struct Ranges {
  const long long* ends;
  const float* decays;
  int count;
};

// The range of an element, by bisection.
DEVICE int range_of(const Ranges& ranges, long long element) {
  int range = 0;
  for (int last = ranges.count - 1; range < last;) {
    int middle = (range + last) / 2;
    if (element < ranges.ends[middle]) {
      last = middle;
    } else {
      range = middle + 1;
    }
  }
  return range;
}

// What all updates share: p -= step(i, gradient) + decay_rate decay p of eight elements, and their copy.
// clip[0]: factor for the gradient. A gradient whose norm clip[1] is not finite moves nothing.
template <typename Step>
DEVICE void update_weights(
    float* p, const float* g, real* copy, const float* clip, const Ranges& ranges, long long n,
    float decay_rate, long long at, int rest, Step step) {
  bool whole = rest == PACK;
  // The range of the block's first element, the thread's own from there by steps.
  int range = range_of(ranges, (long long)blockIdx.x * 256 * PACK);
  float factor = clip[0];
  float weight[PACK], gradient[PACK];
  load_pack(p + at, 0, rest, whole, weight);
  load_pack(g + at, 0, rest, whole, gradient);
#pragma unroll
  for (int i = 0; i < PACK; i++) {
    while (range < ranges.count - 1 && at + i >= ranges.ends[range]) range++;
    float change = step(i, gradient[i] * factor);
    float decay = ranges.decays[range];
    if (decay >= 0) weight[i] -= change + decay_rate * decay * weight[i];
  }
  store_pack(p + at, 0, rest, whole, weight);
  if (copy != nullptr) store_pack(copy + at, 0, rest, whole, weight);
}

DEVICE bool is_finite(float norm) { return norm < __uint_as_float(0x7f800000u); }

// Elements that a thread updates, from `at` on; 0 for none.
DEVICE int update_rest(long long at, long long n, const float* clip) {
  return at >= n || !is_finite(clip[1]) ? 0 : (int)(n - at < PACK ? n - at : PACK);
}

// g' = clip[0] g                    m = b1 m + c1 g'          v = b2 v + c2 g'^2
// p -= rate m / (sqrt(v) root + epsilon) + decay_rate decay p        copy = p as real (may be null)
//
// rate = learning rate / (1 - b1^t), root = 1 / sqrt(1 - b2^t), c1 = 1 - b1, c2 = 1 - b2,
// decay_rate = learning rate. Pointers are 16-byte aligned.
// grid ceil(n / 2048); threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256) adamw(
    float* p, float* m, float* v, const float* g, real* copy, const float* clip,
    const long long* range_ends, const float* range_decays, int ranges, long long n, float rate,
    float root, float b1, float c1, float b2, float c2, float epsilon, float decay_rate) {
  long long at = ((long long)blockIdx.x * 256 + threadIdx.x) * PACK;
  int rest = update_rest(at, n, clip);
  if (rest == 0) return;
  bool whole = rest == PACK;
  float first[PACK], second[PACK];
  load_pack(m + at, 0, rest, whole, first);
  load_pack(v + at, 0, rest, whole, second);
  update_weights(
      p, g, copy, clip, {range_ends, range_decays, ranges}, n, decay_rate, at, rest,
      [&](int i, float gradient) {
        first[i] = first[i] * b1 + gradient * c1;
        second[i] = second[i] * b2 + gradient * gradient * c2;
        return first[i] * rate / (sqrtf(second[i]) * root + epsilon);
      });
  store_pack(m + at, 0, rest, whole, first);
  store_pack(v + at, 0, rest, whole, second);
}
CARAVAN_KERNEL(adamw)

// Lion (Chen et al. 2023, arXiv 2302.06675): p -= rate sign(b1 m + c1 g') + decay_rate decay p, then
// m = b2 m + c2 g'. The rest as adamw.
extern "C" __global__ void __launch_bounds__(256) lion(
    float* p, float* m, const float* g, real* copy, const float* clip, const long long* range_ends,
    const float* range_decays, int ranges, long long n, float rate, float b1, float c1, float b2,
    float c2, float decay_rate) {
  long long at = ((long long)blockIdx.x * 256 + threadIdx.x) * PACK;
  int rest = update_rest(at, n, clip);
  if (rest == 0) return;
  bool whole = rest == PACK;
  float momentum[PACK];
  load_pack(m + at, 0, rest, whole, momentum);
  update_weights(
      p, g, copy, clip, {range_ends, range_decays, ranges}, n, decay_rate, at, rest,
      [&](int i, float gradient) {
        float direction = momentum[i] * b1 + gradient * c1;
        momentum[i] = momentum[i] * b2 + gradient * c2;
        return direction > 0 ? rate : direction < 0 ? -rate : 0.f;
      });
  store_pack(m + at, 0, rest, whole, momentum);
}
CARAVAN_KERNEL(lion)

// Gradient descent: m = b m + g' and p -= rate m + decay_rate decay p, or without momentum (m null)
// p -= rate g' + decay_rate decay p. The rest as adamw.
extern "C" __global__ void __launch_bounds__(256) sgd(
    float* p, float* m, const float* g, real* copy, const float* clip, const long long* range_ends,
    const float* range_decays, int ranges, long long n, float rate, float b, float decay_rate) {
  long long at = ((long long)blockIdx.x * 256 + threadIdx.x) * PACK;
  int rest = update_rest(at, n, clip);
  if (rest == 0) return;
  bool whole = rest == PACK;
  float momentum[PACK] = {0.f};
  if (m != nullptr) load_pack(m + at, 0, rest, whole, momentum);
  update_weights(
      p, g, copy, clip, {range_ends, range_decays, ranges}, n, decay_rate, at, rest,
      [&](int i, float gradient) {
        momentum[i] = momentum[i] * b + gradient;
        return momentum[i] * rate;
      });
  if (m != nullptr) store_pack(m + at, 0, rest, whole, momentum);
}
CARAVAN_KERNEL(sgd)
