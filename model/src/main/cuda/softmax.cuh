// The softmax of attention, tile of keys by tile of keys, over scores in a warp's accumulators
// (Milakov and Gimelshein 2018, arXiv 1805.02867; the layout is that of tensor_core.cuh).
#pragma once
#include "tensor_core.cuh"

#if REAL_BF16
// The largest score of each row so far and this thread's share of its sum of exponentials.
template <int M>
struct RunningSoftmax {
  float maximum[M][2];
  float sum[M][2];

  DEVICE_MEMBER void clear() {
#pragma unroll
    for (int i = 0; i < 2 * M; i++) {
      maximum[i / 2][i % 2] = __uint_as_float(0xff800000u);
      sum[i / 2][i % 2] = 0;
    }
  }
};

DEVICE float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

DEVICE float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// Scores of keys that a row may not see become minus infinity.
template <int M, int N>
DEVICE void hide(float s[M][N][4], int key0, int position0, const int starts[M][2]) {
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int key = key0 + n * 8 + lane % 4 * 2 + i % 2;
        int position = position0 + m * 16 + i / 2 * 8 + lane / 4;
        if (key > position || key < starts[m][i / 2]) s[m][n][i] = __uint_as_float(0xff800000u);
      }
    }
  }
}

// s becomes e^(s - maximum). `scale` takes scores to exponents of 2.
//
// The maximum that is subtracted may lag behind the true one by 8 exponents of 2, which float and
// bfloat16 bear without loss: most tiles then need no rescaling of what was summed up before. Returns
// whether the warp's rows must be scaled by shrink all the same.
template <int M, int N>
DEVICE bool soften(
    float s[M][N][4], float shrink[M][2], RunningSoftmax<M>& softmax, float scale) {
  float highest[M][2];
  bool grows = false;
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float maximum = softmax.maximum[m][half];
#pragma unroll
      for (int n = 0; n < N; n++) {
        maximum = fmaxf(maximum, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
      }
      highest[m][half] = quad_max(maximum);
      grows |= highest[m][half] * scale > softmax.maximum[m][half] * scale + 8.f;
    }
  }
  grows = __any_sync(0xffffffffu, grows);
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float maximum = grows ? highest[m][half] : softmax.maximum[m][half];
      // A row that has seen no key yet must not subtract infinities.
      float offset = maximum < NEGATIVE_INFINITY ? 0.f : maximum * scale;
      shrink[m][half] = exp2_fast(softmax.maximum[m][half] * scale - offset);
      softmax.maximum[m][half] = maximum;
      float sum = grows ? softmax.sum[m][half] * shrink[m][half] : softmax.sum[m][half];
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; i++) {
          s[m][n][i] = exp2_fast(s[m][n][i] * scale - offset);
          sum += s[m][n][i];
        }
      }
      softmax.sum[m][half] = sum;
    }
  }
  return grows;
}

// c [16 M, 8 N] times a factor per row.
template <int M, int N>
DEVICE void scale_rows(float c[M][N][4], const float factors[M][2]) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) c[m][n][i] *= factors[m][i / 2];
    }
  }
}
#endif
