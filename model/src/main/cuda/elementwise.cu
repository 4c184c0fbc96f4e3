// Rotary positions, the gated activation, and moves between float and real.
#include "caravan.cuh"

// Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in Hugging Face's order: component i
// of a head is paired with i + D/2.   a' = a cos - b sin     b' = b cos + a sin
//
// Turns the H query and G key heads of qkv [n, (H + 2G) D] in place. cos_sin [positions, D]: the
// D/2 cosines of a position, then its sines. Row r stands at position first + r % seq. inverse != 0
// turns back, which is the gradient.
// grid ceil(n (H + G) ceil(D/2 / 8) / 256); threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256) rope(
    real* qkv, const float* cos_sin, int n, int seq, int H, int G, int D, int first, int inverse) {
  int half = D / 2;
  int packs = (half + PACK - 1) / PACK;
  long long index = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= (long long)n * (H + G) * packs) return;
  int at = (int)(index % packs) * PACK;
  long long head = index / packs;
  int row = (int)(head / (H + G));
  bool aligned = is_aligned(half);
  real* a = qkv + (long long)row * (H + 2 * G) * D + head % (H + G) * D;
  real* b = a + half;
  const float* angles = cos_sin + (long long)(first + row % seq) * D;
  float x[PACK], y[PACK], c[PACK], s[PACK];
  load_pack(a, at, half, aligned, x);
  load_pack(b, at, half, aligned, y);
  load_pack(angles, at, half, aligned, c);
  load_pack(angles + half, at, half, aligned, s);
#pragma unroll
  for (int i = 0; i < PACK; i++) {
    float sine = inverse ? -s[i] : s[i];
    float turned = x[i] * c[i] - y[i] * sine;
    y[i] = y[i] * c[i] + x[i] * sine;
    x[i] = turned;
  }
  store_pack(a, at, half, aligned, x);
  store_pack(b, at, half, aligned, y);
}
CARAVAN_KERNEL(rope)

// The gated activation (Shazeer 2020, arXiv 2002.05202): h = silu(gate) up.
// h [n, f], gate_up [n, 2f].
// grid (n, ceil(ceil(f / 8) / threads)); threads min(256, ceil(f / 8) in whole warps).
extern "C" __global__ void __launch_bounds__(256) swiglu(real* h, const real* gate_up, int f) {
  int at = (blockIdx.y * blockDim.x + threadIdx.x) * PACK;
  if (at >= f) return;
  bool aligned = is_aligned(f);
  const real* gates = gate_up + (long long)blockIdx.x * 2 * f;
  float gate[PACK], up[PACK];
  load_pack(gates, at, f, aligned, gate);
  load_pack(gates + f, at, f, aligned, up);
#pragma unroll
  for (int i = 0; i < PACK; i++) up[i] *= gate[i] / (1.f + exp_fast(-gate[i]));
  store_pack(h + (long long)blockIdx.x * f, at, f, aligned, up);
}
CARAVAN_KERNEL(swiglu)

// s = 1 / (1 + e^-gate)    dup = dh gate s    dgate = dh up (s + gate s (1 - s))
// d_gate_up [n, 2f] may be gate_up itself. h [n, f], if not null, receives the activation again
// (it may be dh): not keeping it saves memory. Geometry of swiglu.
extern "C" __global__ void __launch_bounds__(256)
swiglu_backward(real* d_gate_up, real* h, const real* dh, const real* gate_up, int f) {
  int at = (blockIdx.y * blockDim.x + threadIdx.x) * PACK;
  if (at >= f) return;
  bool aligned = is_aligned(f);
  const real* gates = gate_up + (long long)blockIdx.x * 2 * f;
  real* gradients = d_gate_up + (long long)blockIdx.x * 2 * f;
  float gate[PACK], up[PACK], out[PACK], activated[PACK];
  load_pack(gates, at, f, aligned, gate);
  load_pack(gates + f, at, f, aligned, up);
  load_pack(dh + (long long)blockIdx.x * f, at, f, aligned, out);
#pragma unroll
  for (int i = 0; i < PACK; i++) {
    float s = 1.f / (1.f + exp_fast(-gate[i]));
    float silu = gate[i] * s;
    activated[i] = silu * up[i];
    gate[i] = out[i] * up[i] * (s + silu - silu * s);
    up[i] = out[i] * silu;
  }
  store_pack(gradients, at, f, aligned, gate);
  store_pack(gradients + f, at, f, aligned, up);
  if (h != nullptr) store_pack(h + (long long)blockIdx.x * f, at, f, aligned, activated);
}
CARAVAN_KERNEL(swiglu_backward)

// x [n, d] = rows ids[0 .. n) of embedding [V, d].
// grid n; threads as rmsnorm.
extern "C" __global__ void __launch_bounds__(1024)
embed(float* x, const real* embedding, const int* ids, int d) {
  bool aligned = is_aligned(d);
  for (int at = threadIdx.x * PACK; at < d; at += blockDim.x * PACK) {
    float v[PACK];
    load_pack(embedding + (long long)ids[blockIdx.x] * d, at, d, aligned, v);
    store_pack(x + (long long)blockIdx.x * d, at, d, aligned, v);
  }
}
CARAVAN_KERNEL(embed)

// embedding_gradient [V, d], row ids[u] += sum of dx rows order[starts[u]] .. order[starts[u + 1] - 1],
// for each of the batch's distinct ids: the host sorts the rows by id, so sums have one order.
// grid distinct ids; threads as rmsnorm.
extern "C" __global__ void __launch_bounds__(1024) embed_backward(
    float* embedding_gradient, const float* dx, const int* order, const int* starts, const int* ids,
    int d) {
  bool aligned = is_aligned(d);
  float* to = embedding_gradient + (long long)ids[blockIdx.x] * d;
  for (int at = threadIdx.x * PACK; at < d; at += blockDim.x * PACK) {
    float sum[PACK];
    load_pack(to, at, d, aligned, sum);
    for (int i = starts[blockIdx.x]; i < starts[blockIdx.x + 1]; i++) {
      float v[PACK];
      load_pack(dx + (long long)order[i] * d, at, d, aligned, v);
#pragma unroll
      for (int j = 0; j < PACK; j++) sum[j] += v[j];
    }
    store_pack(to, at, d, aligned, sum);
  }
}
CARAVAN_KERNEL(embed_backward)

// out [rows, d] = x rows index[0 .. rows): the positions that have a target.
// grid rows; threads as rmsnorm.
extern "C" __global__ void __launch_bounds__(1024)
gather_rows(float* out, const float* x, const int* index, int d) {
  bool aligned = is_aligned(d);
  for (int at = threadIdx.x * PACK; at < d; at += blockDim.x * PACK) {
    float v[PACK];
    load_pack(x + (long long)index[blockIdx.x] * d, at, d, aligned, v);
    store_pack(out + (long long)blockIdx.x * d, at, d, aligned, v);
  }
}
CARAVAN_KERNEL(gather_rows)

// out rows index[0 .. rows) = x [rows, d], and the same as real in copy (may be null); other rows
// stay: the host zeroes both first. grid rows; threads as rmsnorm.
extern "C" __global__ void __launch_bounds__(1024)
scatter_rows(float* out, real* copy, const float* x, const int* index, int d) {
  bool aligned = is_aligned(d);
  long long to = (long long)index[blockIdx.x] * d;
  for (int at = threadIdx.x * PACK; at < d; at += blockDim.x * PACK) {
    float v[PACK];
    load_pack(x + (long long)blockIdx.x * d, at, d, aligned, v);
    store_pack(out + to, at, d, aligned, v);
    if (copy != nullptr) store_pack(copy + to, at, d, aligned, v);
  }
}
CARAVAN_KERNEL(scatter_rows)

// The two below treat n elements as one row: element-wise when n is not a multiple of 8, and both
// pointers must be 16-byte aligned. grid ceil(n / 2048); threads 256.
DEVICE long long flat_index() { return ((long long)blockIdx.x * blockDim.x + threadIdx.x) * PACK; }

DEVICE int flat_rest(long long at, long long n) { return (int)(n - at < PACK ? n - at : PACK); }

// y [n] = x [n] as real.
extern "C" __global__ void __launch_bounds__(256) to_real(real* y, const float* x, long long n) {
  long long at = flat_index();
  if (at >= n) return;
  int rest = flat_rest(at, n);
  float v[PACK];
  load_pack(x + at, 0, rest, rest == PACK, v);
  store_pack(y + at, 0, rest, rest == PACK, v);
}
CARAVAN_KERNEL(to_real)

// y [n] += x [n] (real), and the sum as real in copy (may be null).
extern "C" __global__ void __launch_bounds__(256)
accumulate_real(float* y, real* copy, const real* x, long long n) {
  long long at = flat_index();
  if (at >= n) return;
  int rest = flat_rest(at, n);
  float v[PACK], sum[PACK];
  load_pack(x + at, 0, rest, rest == PACK, v);
  load_pack(y + at, 0, rest, rest == PACK, sum);
#pragma unroll
  for (int i = 0; i < PACK; i++) sum[i] += v[i];
  store_pack(y + at, 0, rest, rest == PACK, sum);
  if (copy != nullptr) store_pack(copy + at, 0, rest, rest == PACK, sum);
}
CARAVAN_KERNEL(accumulate_real)
