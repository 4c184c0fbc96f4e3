// What every kernel file starts from: the activation type, 16-byte loads and stores, reductions.
//
// Compiled by NVRTC without any include folder, and by g++ through src/test/cpp/shim.h, which runs
// the same lines on the CPU. Nothing here or in the .cu files includes a CUDA header.
//
// Legend of the shape comments: n rows (batch x seq tokens), d hidden width, H query heads, G
// key/value heads, D head width, f feed-forward width, V vocabulary. Matrices are row-major
// [out, in]; a row of qkv is H query heads, G key heads, G value heads; a row of gate_up is f gates,
// then f ups. real is the type of activations and of the weights' working copy: bfloat16 with
// -DREAL_BF16=1, else float. Sums, norms, the residual stream and gradients of parameters are float.
#pragma once

#ifndef CARAVAN_SHIM
#define CARAVAN_KERNEL(name)
// Dynamic shared memory of a block, 1024-byte aligned; the launch's shared bytes give its size.
extern __shared__ __align__(1024) unsigned char dynamic_shared[];
#define DYNAMIC_SHARED(type, name) type* name = (type*)dynamic_shared
#endif

#define DEVICE_MEMBER __device__ __forceinline__
#define DEVICE static DEVICE_MEMBER

// The upper half of a float32.
struct bf16 {
  unsigned short bits;
};

#if REAL_BF16
typedef bf16 real;
#else
typedef float real;
#endif

// Elements that one thread moves at a time: 16 bytes of bf16, 32 of float.
constexpr int PACK = 8;
constexpr int WARP = 32;
constexpr float NEGATIVE_INFINITY = -1e30f;  // a mask that stays finite under subtraction
constexpr float LOG2_E = 1.4426950408889634f;

// Two floats to two bf16 in one word, the first in the low half, rounded to nearest even.
DEVICE unsigned pack2(float low, float high) {
#ifdef CARAVAN_SHIM
  return (unsigned)shim::round_bf16(low) | (unsigned)shim::round_bf16(high) << 16;
#else
  unsigned both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
#endif
}

DEVICE float low_half(unsigned both) { return __uint_as_float(both << 16); }
DEVICE float high_half(unsigned both) { return __uint_as_float(both & 0xffff0000u); }

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }
DEVICE void from_float(float& to, float x) { to = x; }
DEVICE void from_float(bf16& to, float x) { to.bits = (unsigned short)pack2(x, 0.f); }

// 2^x and e^x by the special function unit: two units in the last place, flushes denormals.
DEVICE float exp2_fast(float x) {
#ifdef CARAVAN_SHIM
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

DEVICE float exp_fast(float x) { return exp2_fast(x * LOG2_E); }

// Eight elements at a 16-byte boundary.
DEVICE void load_aligned(const float* p, float v[PACK]) {
  float4 a = ((const float4*)p)[0];
  float4 b = ((const float4*)p)[1];
  v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
  v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

DEVICE void load_aligned(const bf16* p, float v[PACK]) {
  uint4 a = *(const uint4*)p;
  v[0] = low_half(a.x), v[1] = high_half(a.x), v[2] = low_half(a.y), v[3] = high_half(a.y);
  v[4] = low_half(a.z), v[5] = high_half(a.z), v[6] = low_half(a.w), v[7] = high_half(a.w);
}

DEVICE void store_aligned(float* p, const float v[PACK]) {
  ((float4*)p)[0] = make_float4(v[0], v[1], v[2], v[3]);
  ((float4*)p)[1] = make_float4(v[4], v[5], v[6], v[7]);
}

DEVICE void store_aligned(bf16* p, const float v[PACK]) {
  *(uint4*)p =
      make_uint4(pack2(v[0], v[1]), pack2(v[2], v[3]), pack2(v[4], v[5]), pack2(v[6], v[7]));
}

// Elements at .. at + 7 of a row of `length`; zeros past its end. `aligned`: the row starts at a
// 16-byte boundary and its length is a multiple of 8 (uniform over the launch).
template <typename T>
DEVICE void load_pack(const T* row, int at, int length, bool aligned, float v[PACK]) {
  if (aligned) {
    load_aligned(row + at, v);
  } else {
#pragma unroll
    for (int i = 0; i < PACK; i++) v[i] = at + i < length ? to_float(row[at + i]) : 0.f;
  }
}

template <typename T>
DEVICE void store_pack(T* row, int at, int length, bool aligned, const float v[PACK]) {
  if (aligned) {
    store_aligned(row + at, v);
  } else {
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      if (at + i < length) from_float(row[at + i], v[i]);
    }
  }
}

DEVICE bool is_aligned(int length) { return length % PACK == 0; }

// Eight weights as they lie in memory: what is loaded well before it is used.
#if REAL_BF16
typedef uint4 Raw;
#else
struct Raw {
  float4 low, high;
};
#endif

// Weights that are read once: past the first-level cache.
DEVICE uint4 load_once(const uint4* p) {
#ifdef CARAVAN_SHIM
  return *p;
#else
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
#endif
}

DEVICE Raw load_raw(const real* row, int at, int length, bool aligned) {
  union {
    Raw raw;
    uint4 words[sizeof(Raw) / sizeof(uint4)];
  } both;
  if (aligned) {
#pragma unroll
    for (unsigned i = 0; i < sizeof(Raw) / sizeof(uint4); i++) {
      both.words[i] = load_once((const uint4*)(row + at) + i);
    }
  } else {
    float v[PACK];
    load_pack(row, at, length, false, v);
    store_aligned((real*)&both, v);
  }
  return both.raw;
}

DEVICE void expand(const Raw& raw, float v[PACK]) { load_aligned((const real*)&raw, v); }

// Programmatic dependent launch: a kernel launched so may begin while the one before it runs. What
// it does before wait_for_previous must not depend on anything earlier kernels write.
DEVICE void let_next_begin() {
#if !defined(CARAVAN_SHIM) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

DEVICE void wait_for_previous() {
#if !defined(CARAVAN_SHIM) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

DEVICE float warp_sum(float x) {
#pragma unroll
  for (int mask = WARP / 2; mask > 0; mask /= 2) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}

DEVICE float warp_max(float x) {
#pragma unroll
  for (int mask = WARP / 2; mask > 0; mask /= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, mask));
  }
  return x;
}

// Sum over the block's threads (whole warps), the same in every thread and in every run.
DEVICE float block_sum(float x) {
  __shared__ float sums[WARP];
  x = warp_sum(x);
  __syncthreads();  // the last call's readers are done
  if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = x;
  __syncthreads();
  int warps = blockDim.x / WARP;
  return warp_sum((int)threadIdx.x % WARP < warps ? sums[threadIdx.x % WARP] : 0.f);
}
