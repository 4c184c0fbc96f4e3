// One token at a time: matrix-vector products at memory speed, a key/value cache, attention split
// over the keys (Flash-Decoding: Dao et al. 2023). A token is five kernels per block of the model,
// the norms, the residual additions and the rotation inside of them; what changes from token to
// token (its id and position) is read from memory, so that one CUDA graph serves all tokens. The
// kernels of a token are launched with programmatic dependence: each loads its first weights while
// the one before it still runs.
#include "caravan.cuh"

constexpr int TOKEN_THREADS = 128;
constexpr int TOKEN_WARPS = TOKEN_THREADS / WARP;

// Loads of 16 bytes that a lane has in flight at a time.
constexpr int AHEAD = 8;

// Products of ROWS rows of weights with x [cols], or with RMSNorm(x) where gain is not null, in
// every lane of the warp.
template <int ROWS>
DEVICE void times_rows(
    float (&sums)[ROWS], const real* const (&rows)[ROWS], const float* x, const float* gain,
    int cols, float epsilon) {
  constexpr int STEPS = AHEAD / ROWS;
  bool aligned = is_aligned(cols);
  int first = threadIdx.x % WARP * PACK;
  Raw kept[ROWS][STEPS];
#pragma unroll
  for (int s = 0; s < STEPS; s++) {
    int at = first + s * WARP * PACK;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      if (at < cols) kept[r][s] = load_raw(rows[r], at, cols, aligned);
    }
  }
  wait_for_previous();
  float squares = 0;
#pragma unroll
  for (int r = 0; r < ROWS; r++) sums[r] = 0;
  for (int from = first; from < cols; from += STEPS * WARP * PACK) {
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
      int at = from + s * WARP * PACK;
      if (at >= cols) break;
      float v[PACK], g[PACK];
      load_pack(x, at, cols, aligned, v);
      if (gain != nullptr) {
        load_pack(gain, at, cols, aligned, g);
#pragma unroll
        for (int i = 0; i < PACK; i++) {
          squares += v[i] * v[i];
          v[i] *= g[i];
        }
      }
      int next = at + STEPS * WARP * PACK;
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        float w[PACK];
        expand(kept[r][s], w);
        if (next < cols) kept[r][s] = load_raw(rows[r], next, cols, aligned);
#pragma unroll
        for (int i = 0; i < PACK; i++) sums[r] += w[i] * v[i];
      }
    }
  }
  float scale = gain == nullptr ? 1.f : rsqrtf(warp_sum(squares) / cols + epsilon);
#pragma unroll
  for (int r = 0; r < ROWS; r++) sums[r] = warp_sum(sums[r]) * scale;
}

// x [d] = row next[0] of embedding [V, d]; state {id, position} = next, which may be the host's.
// grid 1; threads as rmsnorm.
extern "C" __global__ void __launch_bounds__(1024)
embed_next(float* x, int* state, const int* next, const real* embedding, int d) {
  let_next_begin();
  wait_for_previous();
  bool aligned = is_aligned(d);
  const real* row = embedding + (long long)next[0] * d;
  for (int at = threadIdx.x * PACK; at < d; at += blockDim.x * PACK) {
    float v[PACK];
    load_pack(row, at, d, aligned, v);
    store_pack(x, at, d, aligned, v);
  }
  if (threadIdx.x < 2) state[threadIdx.x] = next[threadIdx.x];
}
CARAVAN_KERNEL(embed_next)

// y [rows] += w [rows, cols] x [cols]. grid ceil(rows / 4); threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(TOKEN_THREADS)
add_gemv(float* y, const real* w, const float* x, int rows, int cols) {
  let_next_begin();
  int row = blockIdx.x * TOKEN_WARPS + threadIdx.x / WARP;
  if (row >= rows) return;
  const real* const one[1] = {w + (long long)row * cols};
  float sum[1];
  times_rows(sum, one, x, nullptr, cols, 0);
  if (threadIdx.x % WARP == 0) y[row] += sum[0];
}
CARAVAN_KERNEL(add_gemv)

// w [rows, cols] RMSNorm(x [cols]) as float in y and as real in copy; either may be null.
// grid ceil(rows / 8); threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(TOKEN_THREADS) norm_gemv(
    float* y, real* copy, const real* w, const float* x, const float* gain, int rows, int cols,
    float epsilon) {
  let_next_begin();
  int row = (blockIdx.x * TOKEN_WARPS + threadIdx.x / WARP) * 2;
  if (row >= rows) return;
  int second = row + 1 < rows ? row + 1 : row;
  const real* const both[2] = {w + (long long)row * cols, w + (long long)second * cols};
  float sums[2];
  times_rows(sums, both, x, gain, cols, epsilon);
  int lane = threadIdx.x % WARP;
  if (lane < 2 && row + lane < rows) {
    float sum = lane == 0 ? sums[0] : sums[1];
    if (y != nullptr) y[row + lane] = sum;
    if (copy != nullptr) from_float(copy[row + lane], sum);
  }
}
CARAVAN_KERNEL(norm_gemv)

// h [f] = silu(gate) up, where gate and up are the halves of w [2f, cols] RMSNorm(x [cols]).
// grid ceil(f / 4); threads 128; no shared bytes.
extern "C" __global__ void __launch_bounds__(TOKEN_THREADS) norm_gemv_swiglu(
    float* h, const real* w, const float* x, const float* gain, int f, int cols, float epsilon) {
  let_next_begin();
  int row = blockIdx.x * TOKEN_WARPS + threadIdx.x / WARP;
  if (row >= f) return;
  const real* const both[2] = {w + (long long)row * cols, w + (long long)(f + row) * cols};
  float sums[2];
  times_rows(sums, both, x, gain, cols, epsilon);
  if (threadIdx.x % WARP == 0) h[row] = sums[0] / (1.f + exp_fast(-sums[0])) * sums[1];
}
CARAVAN_KERNEL(norm_gemv_swiglu)

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

// The greater of two values and its id, the lower id of equal ones.
struct Best {
  float value;
  int id;
};

DEVICE Best better(Best a, Best b) {
  return b.value > a.value || (b.value == a.value && b.id < a.id) ? b : a;
}

DEVICE Best warp_best(Best mine) {
#pragma unroll
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    Best theirs;
    theirs.value = __shfl_xor_sync(0xffffffffu, mine.value, mask);
    theirs.id = __shfl_xor_sync(0xffffffffu, mine.id, mask);
    mine = better(mine, theirs);
  }
  return mine;
}

// *best (which may be the host's) = the first id of the highest of logits [V], or -1 where one of
// them is not finite. partial [2 blocks]: values, then ids; *arrived is 0 before and after.
// grid at most 32; threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256)
argmax(int* best, float* partial, int* arrived, const float* logits, int V) {
  __shared__ Best of_warps[WARP];
  __shared__ bool is_last;
  let_next_begin();
  wait_for_previous();
  int blocks = gridDim.x;
  float infinite = __uint_as_float(0x7f800000u);
  Best mine = {-infinite, 0x7fffffff};
  for (int id = blockIdx.x * blockDim.x + threadIdx.x; id < V; id += blocks * blockDim.x) {
    float x = logits[id];
    Best other = {x, id};
    if (!(fabsf(x) < infinite)) other = {infinite, -1};
    mine = better(mine, other);
  }
  mine = warp_best(mine);
  if (threadIdx.x % WARP == 0) of_warps[threadIdx.x / WARP] = mine;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < (int)blockDim.x / WARP; w++) mine = better(mine, of_warps[w]);
    partial[blockIdx.x] = mine.value;
    ((int*)partial)[blocks + blockIdx.x] = mine.id;
    __threadfence();
    is_last = atomicAdd(arrived, 1) == blocks - 1;
  }
  __syncthreads();
  if (!is_last || threadIdx.x >= WARP) return;
  mine = {-infinite, 0x7fffffff};
  if ((int)threadIdx.x < blocks) {
    mine = {__ldcg(partial + threadIdx.x), __ldcg((const int*)partial + blocks + threadIdx.x)};
  }
  mine = warp_best(mine);
  if (threadIdx.x == 0) *best = mine.id, *arrived = 0;
}
CARAVAN_KERNEL(argmax)
