// Dropout by counter: what is zeroed depends on the seed, the step, the sequence's tokens, the place
// in the model, the position and the column alone, so nothing is stored and a pass that is run again
// zeroes the same values. The very mask of the CPU engine (DropoutKeys.java, DropoutMask.java).
#include "caravan.cuh"

// SplitMix64's finalizer (Steele et al., OOPSLA 2014) of the number-th step from key.
DEVICE unsigned long long key_of(unsigned long long key, unsigned long long number) {
  unsigned long long z = key + 0x9E3779B97F4A7C15ull * (number + 1);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

// Wellons' lowbias32 with the key's halves mixed in.
DEVICE unsigned hashed(unsigned long long row_key, int column) {
  unsigned h = (unsigned)column + (unsigned)row_key;
  h = (h ^ h >> 16) * 0x7feb352du ^ (unsigned)(row_key >> 32);
  h = (h ^ h >> 15) * 0x846ca68bu;
  return h ^ h >> 16;
}

// A row's dropped values of x, or (ADD) these added to y. y may be x.
template <bool ADD, typename T>
DEVICE void drop_row(
    T* y, const T* x, const long long* keys, int place, int seq, int d, int threshold,
    float scale) {
  bool aligned = is_aligned(d);
  long long start = (long long)blockIdx.x * d;
  unsigned long long sequence = (unsigned long long)keys[blockIdx.x / seq];
  unsigned long long key = key_of(key_of(sequence, place), blockIdx.x % seq);
  for (int at = threadIdx.x * PACK; at < d; at += blockDim.x * PACK) {
    float v[PACK], sum[PACK];
    load_pack(x + start, at, d, aligned, v);
    if (ADD) load_pack(y + start, at, d, aligned, sum);
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      v[i] = hashed(key, at + i) >> 8 < (unsigned)threshold ? 0.f : v[i] * scale;
      if (ADD) v[i] += sum[i];
    }
    store_pack(y + start, at, d, aligned, v);
  }
}

// y [n, d] = x [n, d] with a share of values zeroed and the others scaled up; y may be x.
//
// keys [n / seq]: one of each sequence. threshold: rate * 2^24. scale: 1 / (1 - rate).
// grid n; threads as rmsnorm of d; no shared bytes.
extern "C" __global__ void __launch_bounds__(1024) drop(
    real* y, const real* x, const long long* keys, int place, int seq, int d, int threshold,
    float scale) {
  drop_row<false>(y, x, keys, place, seq, d, threshold, scale);
}
CARAVAN_KERNEL(drop)

// y += the same. Geometry of drop.
extern "C" __global__ void __launch_bounds__(1024) drop_add(
    real* y, const real* x, const long long* keys, int place, int seq, int d, int threshold,
    float scale) {
  drop_row<true>(y, x, keys, place, seq, d, threshold, scale);
}
CARAVAN_KERNEL(drop_add)

// Likewise of the residual stream, in place. Geometry of drop.
extern "C" __global__ void __launch_bounds__(1024) drop_stream(
    float* x, const long long* keys, int place, int seq, int d, int threshold, float scale) {
  drop_row<false>(x, (const float*)x, keys, place, seq, d, threshold, scale);
}
CARAVAN_KERNEL(drop_stream)
