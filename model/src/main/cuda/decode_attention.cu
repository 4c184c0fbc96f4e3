// Attention of one new token over the key/value cache, its rotation and its place in the cache
// included. Keys are shared out among blocks; the block of a head that ends last adds the shares up,
// always in the same order.
#include "caravan.cuh"

constexpr int DECODE_THREADS = 128;
constexpr int DECODE_WARPS = DECODE_THREADS / WARP;
constexpr int DECODE_HEAD = 256;  // the widest head
constexpr int LEAST_KEYS = 64;    // per share
constexpr int KEYS_AHEAD = 4;     // that a group of lanes loads before it uses the first

// What a softmax over some keys has come to: the highest score, the sum of exponentials below it,
// and 8 components of the unnormalized output.
struct Share {
  float highest, total, sums[PACK];
};

DEVICE void merge(Share& a, float highest, float total, const float sums[PACK]) {
  float most = fmaxf(a.highest, highest);
  float mine = exp_fast(a.highest - most), theirs = exp_fast(highest - most);
  a.highest = most;
  a.total = a.total * mine + total * theirs;
#pragma unroll
  for (int i = 0; i < PACK; i++) a.sums[i] = a.sums[i] * mine + sums[i] * theirs;
}

// Adds the share of the lane `mask` away.
DEVICE void merge_lane(Share& a, int mask) {
  float highest = __shfl_xor_sync(0xffffffffu, a.highest, mask);
  float total = __shfl_xor_sync(0xffffffffu, a.total, mask);
  float sums[PACK];
#pragma unroll
  for (int i = 0; i < PACK; i++) sums[i] = __shfl_xor_sync(0xffffffffu, a.sums[i], mask);
  merge(a, highest, total, sums);
}

// A head of D components turned to its position, in shared memory; rounded as the cache rounds.
DEVICE void turn_head(float* to, const real* from, const float* angles, int D, bool rounds) {
  int half = D / 2;
  for (int i = threadIdx.x; i < half; i += blockDim.x) {
    float x = to_float(from[i]), y = to_float(from[i + half]), c = angles[i], s = angles[i + half];
    float turned[2] = {x * c - y * s, y * c + x * s};
#pragma unroll
    for (int j = 0; j < 2; j++) {
      real rounded;
      from_float(rounded, turned[j]);
      to[i + j * half] = rounds ? to_float(rounded) : turned[j];
    }
  }
}

// The new token's key and value into its row of the cache.
DEVICE void append_row(real* keys, int values_after, const float* key, const float* value, int D) {
  for (int i = threadIdx.x; i < D; i += blockDim.x) {
    from_float(keys[i], key[i]);
    from_float(keys[values_after + i], value[i]);
  }
}

// out [D] from the shares [shares, D + 2] of a head, which other blocks wrote.
DEVICE void combine_shares(float* out, const float* parts, int shares, int D) {
  float highest = NEGATIVE_INFINITY, total = 0;
  for (int s = 0; s < shares; s++) highest = fmaxf(highest, __ldcg(parts + s * (D + 2) + D));
  for (int s = 0; s < shares; s++) {
    const float* part = parts + s * (D + 2);
    total += __ldcg(part + D + 1) * exp_fast(__ldcg(part + D) - highest);
  }
  for (int i = threadIdx.x; i < D; i += blockDim.x) {
    float sum = 0;
    for (int s = 0; s < shares; s++) {
      const float* part = parts + s * (D + 2);
      sum += __ldcg(part + i) * exp_fast(__ldcg(part + D) - highest);
    }
    out[i] = sum / total;
  }
}

// out [H D], attention of the token at position state[1], whose row of qkv [(H + 2G) D] is not
// turned yet, over rows 0 .. position of cache [max length, 2 G D] (keys, then values), of which the
// last is written here. cos_sin as in rope. partial [H, shares, D + 2]: unnormalized outputs, highest
// score, sum of exponentials; arrived [H] is 0 before and after. D <= 256.
// grid (H, shares); threads 128; no shared bytes. shares: any number; about max length / 64.
extern "C" __global__ void __launch_bounds__(DECODE_THREADS) decode_attention(
    float* out, float* partial, int* arrived, const real* qkv, real* cache, const float* cos_sin,
    const int* state, int H, int G, int D) {
  __shared__ float query[DECODE_HEAD], key[DECODE_HEAD], value[DECODE_HEAD];
  __shared__ float outputs[DECODE_WARPS][DECODE_HEAD];
  __shared__ float maxima[DECODE_WARPS], totals[DECODE_WARPS];
  __shared__ bool is_last;
  let_next_begin();
  wait_for_previous();
  int head = blockIdx.x, group = head / (H / G);
  int position = state[1], length = position + 1;
  int share = (length + gridDim.y - 1) / gridDim.y;
  share = share > LEAST_KEYS ? share : LEAST_KEYS;
  int shares = (length + share - 1) / share;
  int begin = blockIdx.y * share;
  if (begin >= length) return;
  int end = begin + share < length ? begin + share : length;
  int stride = 2 * G * D;
  real* keys = cache + group * D;
  const float* angles = cos_sin + (long long)position * D;
  for (int i = threadIdx.x; i < DECODE_HEAD; i += blockDim.x) query[i] = key[i] = value[i] = 0;
  __syncthreads();
  turn_head(query, qkv + head * D, angles, D, false);
  if (end == length) {
    turn_head(key, qkv + (H + group) * D, angles, D, true);
    for (int i = threadIdx.x; i < D; i += blockDim.x) {
      value[i] = to_float(qkv[(H + G + group) * D + i]);
    }
  }
  __syncthreads();
  if (end == length && head % (H / G) == 0) {
    append_row(keys + (long long)position * stride, G * D, key, value, D);
  }

  // A group of lanes takes a key, each lane 8 of its components.
  int lanes = 1;
  while (lanes * PACK < D) lanes *= 2;
  int groups = DECODE_THREADS / lanes;
  int first = begin + threadIdx.x / lanes;
  int at = (int)(threadIdx.x % lanes) * PACK;
  bool aligned = is_aligned(D);
  float scale = rsqrtf((float)D);
  float q[PACK];
#pragma unroll
  for (int i = 0; i < PACK; i++) q[i] = query[at + i] * scale;
  Share mine = {NEGATIVE_INFINITY, 0, {}};
  for (int step = 0; begin + step < end; step += KEYS_AHEAD * groups) {
    Raw k[KEYS_AHEAD] = {}, v[KEYS_AHEAD] = {};
#pragma unroll
    for (int u = 0; u < KEYS_AHEAD; u++) {
      int row = first + step + u * groups;
      if (row < end && row != position && at < D) {
        const real* there = keys + (long long)row * stride;
        k[u] = load_raw(there, at, D, aligned);
        v[u] = load_raw(there + G * D, at, D, aligned);
      }
    }
    float scores[KEYS_AHEAD];
    float highest = mine.highest;
#pragma unroll
    for (int u = 0; u < KEYS_AHEAD; u++) {
      int row = first + step + u * groups;
      float x[PACK], score = 0;
      expand(k[u], x);
#pragma unroll
      for (int i = 0; i < PACK; i++) score += q[i] * (row == position ? key[at + i] : x[i]);
      for (int mask = lanes / 2; mask > 0; mask /= 2) {
        score += __shfl_xor_sync(0xffffffffu, score, mask);
      }
      scores[u] = row < end ? score : NEGATIVE_INFINITY;
      highest = fmaxf(highest, scores[u]);
    }
    float shrink = exp_fast(mine.highest - highest);
    mine.highest = highest;
    mine.total *= shrink;
#pragma unroll
    for (int i = 0; i < PACK; i++) mine.sums[i] *= shrink;
#pragma unroll
    for (int u = 0; u < KEYS_AHEAD; u++) {
      int row = first + step + u * groups;
      float x[PACK], p = row < end ? exp_fast(scores[u] - highest) : 0;
      expand(v[u], x);
      mine.total += p;
#pragma unroll
      for (int i = 0; i < PACK; i++) mine.sums[i] += p * (row == position ? value[at + i] : x[i]);
    }
  }
  for (int mask = lanes; mask < WARP; mask *= 2) merge_lane(mine, mask);

  int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (lane < lanes) {
#pragma unroll
    for (int i = 0; i < PACK; i++) outputs[warp][at + i] = mine.sums[i];
  }
  if (lane == 0) maxima[warp] = mine.highest, totals[warp] = mine.total;
  __syncthreads();
  float highest = NEGATIVE_INFINITY, total = 0;
  for (int w = 0; w < DECODE_WARPS; w++) highest = fmaxf(highest, maxima[w]);
  for (int w = 0; w < DECODE_WARPS; w++) total += totals[w] * exp_fast(maxima[w] - highest);
  float* parts = partial + (long long)head * gridDim.y * (D + 2);
  float* own = shares == 1 ? out + head * D : parts + blockIdx.y * (D + 2);
  for (int i = threadIdx.x; i < D; i += blockDim.x) {
    float sum = 0;
    for (int w = 0; w < DECODE_WARPS; w++) sum += outputs[w][i] * exp_fast(maxima[w] - highest);
    own[i] = shares == 1 ? sum / total : sum;
  }
  if (shares == 1) return;
  if (threadIdx.x == 0) own[D] = highest, own[D + 1] = total;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) is_last = atomicAdd(arrived + head, 1) == shares - 1;
  __syncthreads();
  if (!is_last) return;
  __threadfence();
  if (threadIdx.x == 0) arrived[head] = 0;
  combine_shares(out + head * D, parts, shares, D);
}
CARAVAN_KERNEL(decode_attention)
