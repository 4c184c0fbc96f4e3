// Softmax cross entropy over a chunk of rows: full logits never exist.
#include "caravan.cuh"

// Maximum and sum of e^(x - maximum) over what a thread, a warp, a block has seen
// (Milakov and Gimelshein 2018, arXiv 1805.02867).
struct SoftmaxSum {
  float maximum;
  float sum;
};

DEVICE SoftmaxSum merged(SoftmaxSum a, SoftmaxSum b) {
  float maximum = fmaxf(a.maximum, b.maximum);
  return {maximum,
          a.sum * exp_fast(a.maximum - maximum) + b.sum * exp_fast(b.maximum - maximum)};
}

DEVICE SoftmaxSum warp_merged(SoftmaxSum x) {
#pragma unroll
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    SoftmaxSum other;
    other.maximum = __shfl_xor_sync(0xffffffffu, x.maximum, mask);
    other.sum = __shfl_xor_sync(0xffffffffu, x.sum, mask);
    x = merged(x, other);
  }
  return x;
}

DEVICE SoftmaxSum row_softmax_sum(const real* logits, int V, bool aligned) {
  __shared__ SoftmaxSum parts[WARP];
  SoftmaxSum mine = {NEGATIVE_INFINITY, 0.f};
  for (int at = threadIdx.x * PACK; at < V; at += blockDim.x * PACK) {
    float v[PACK];
    load_pack(logits, at, V, aligned, v);
    float maximum = mine.maximum;
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      if (at + i < V) maximum = fmaxf(maximum, v[i]);
    }
    float sum = mine.sum * exp_fast(mine.maximum - maximum);
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      if (at + i < V) sum += exp_fast(v[i] - maximum);
    }
    mine = {maximum, sum};
  }
  mine = warp_merged(mine);
  if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = mine;
  __syncthreads();
  SoftmaxSum none = {NEGATIVE_INFINITY, 0.f};
  return warp_merged(threadIdx.x % WARP < blockDim.x / WARP ? parts[threadIdx.x % WARP] : none);
}

// The objective beyond cross entropy: label smoothing (Szegedy et al. 2015, arXiv 1512.00567) and
// z-loss (PaLM, arXiv 2204.02311, section 5).
struct Penalty {
  float smoothing;
  float z_loss;
};

DEVICE float row_sum(const real* logits, int V, bool aligned) {
  float sum = 0;
  for (int at = threadIdx.x * PACK; at < V; at += blockDim.x * PACK) {
    float v[PACK];
    load_pack(logits, at, V, aligned, v);
#pragma unroll
    for (int i = 0; i < PACK; i++) sum += at + i < V ? v[i] : 0.f;
  }
  return block_sum(sum);
}

// One row of cross_entropy; PENALIZED adds what stands above cross_entropy_penalized.
template <bool PENALIZED>
DEVICE void cross_entropy_row(
    real* logits, float* loss, float* penalty, const int* targets, int V, int stride, float scale,
    Penalty extra) {
  real* row = logits + (long long)blockIdx.x * stride;
  int target = targets[blockIdx.x];
  bool aligned = is_aligned(stride);
  float logit = target < 0 ? 0.f : to_float(row[target]);
  SoftmaxSum all = {0.f, 1.f};
  if (target >= 0) all = row_softmax_sum(row, V, aligned && is_aligned(V));
  float factor = target < 0 ? 0.f : scale / all.sum;
  float everywhere = 0.f, at_target = scale;
  if (PENALIZED) {
    float log_z = logf(all.sum) + all.maximum;
    bool smooths = target >= 0 && extra.smoothing > 0;
    float mean = smooths ? row_sum(row, V, aligned && is_aligned(V)) / V : 0.f;
    if (threadIdx.x == 0) {
      penalty[blockIdx.x] =
          target < 0 ? 0.f
                     : (smooths ? extra.smoothing * (logit - mean) : 0.f) + extra.z_loss * log_z * log_z;
    }
    factor *= 1 + 2 * extra.z_loss * log_z;
    everywhere = scale * extra.smoothing / V;
    at_target = scale * (1 - extra.smoothing);
  }
  if (threadIdx.x == 0) loss[blockIdx.x] = target < 0 ? 0.f : logf(all.sum) + (all.maximum - logit);
  // Everyone has read the target's logit before anyone overwrites it.
  __syncthreads();
  for (int at = threadIdx.x * PACK; at < stride; at += blockDim.x * PACK) {
    float v[PACK];
    load_pack(row, at, stride, aligned, v);
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      bool counts = target >= 0 && at + i < V;
      float p = counts ? exp_fast(v[i] - all.maximum) * factor - everywhere : 0.f;
      v[i] = counts && at + i == target ? p - at_target : p;
    }
    store_pack(row, at, stride, aligned, v);
  }
}

// loss = log sum e^logits - logits[target]    dlogits = scale (softmax(logits) - onehot(target))
//
// logits [rows, stride] become dlogits in place (elements V .. stride become 0); loss [rows];
// targets [rows], -1 where no loss is taken: zero row, zero loss. stride >= V; rows are read 16
// bytes at a time when stride is a multiple of 8.
// grid rows; threads 1024 (256 when V < 8192); no shared bytes. Two blocks must fit on a
// multiprocessor: one reads while the other waits for its row's sum.
extern "C" __global__ void __launch_bounds__(1024, 2) cross_entropy(
    real* logits, float* loss, const int* targets, int V, int stride, float scale) {
  cross_entropy_row<false>(logits, loss, nullptr, targets, V, stride, scale, {0.f, 0.f});
}
CARAVAN_KERNEL(cross_entropy)

// With log Z = log sum e^logits, e = smoothing and c = z_loss:
//   loss as above    penalty = e (logits[target] - mean(logits)) + c (log Z)^2
//   dlogits = scale ((1 + 2 c log Z) softmax(logits) - e / V - (1 - e) onehot(target))
// penalty [rows], 0 where no loss is taken. Geometry of cross_entropy.
extern "C" __global__ void __launch_bounds__(1024, 2) cross_entropy_penalized(
    real* logits, float* loss, float* penalty, const int* targets, int V, int stride, float scale,
    float smoothing, float z_loss) {
  cross_entropy_row<true>(
      logits, loss, penalty, targets, V, stride, scale, {smoothing, z_loss});
}
CARAVAN_KERNEL(cross_entropy_penalized)

// log_probability [rows] of each target and greedy [rows]: 1 when no logit is higher than the
// target's. Logits stay. Rows with target -1 get 0 and 0. Geometry of cross_entropy.
extern "C" __global__ void __launch_bounds__(1024) score_rows(
    float* log_probability, int* greedy, const real* logits, const int* targets, int V,
    int stride) {
  const real* row = logits + (long long)blockIdx.x * stride;
  int target = targets[blockIdx.x];
  if (target < 0) {
    if (threadIdx.x == 0) log_probability[blockIdx.x] = 0.f, greedy[blockIdx.x] = 0;
    return;
  }
  SoftmaxSum all = row_softmax_sum(row, V, is_aligned(stride) && is_aligned(V));
  if (threadIdx.x == 0) {
    float logit = to_float(row[target]);
    log_probability[blockIdx.x] = logit - all.maximum - logf(all.sum);
    greedy[blockIdx.x] = logit >= all.maximum;
  }
}
CARAVAN_KERNEL(score_rows)

// total [1] = (accumulate ? total : 0) + sum of x [n], in double, always in the same order.
// grid 1; threads 256; no shared bytes.
extern "C" __global__ void __launch_bounds__(256)
sum_all(double* total, const float* x, int n, int accumulate) {
  __shared__ double sums[256];
  double sum = 0;
  for (int i = threadIdx.x; i < n; i += 256) sum += x[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) *total = accumulate ? *total + sums[0] : sums[0];
}
CARAVAN_KERNEL(sum_all)
