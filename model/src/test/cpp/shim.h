// Runs CUDA kernels on the CPU: compile the .cu files with g++ -include shim.h.
//
// Blocks run one after the other; a block's threads are fibers (ucontext) that switch only where a
// thread may wait: __syncthreads, and the exchanges of a warp. Shared memory is poisoned before each
// block, asynchronous copies land at the wait that guarantees them and no earlier, and a barrier that
// some threads never reach is an error: what would be a race or a hang on the device shows here.
#pragma once
#define CARAVAN_SHIM 1

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __shared__ static
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define DYNAMIC_SHARED(type, name) type* name = (type*)shim::dynamic_shared()

struct dim3 {
  unsigned x, y, z;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace shim {

/** Poisoned bytes of the running block's dynamic shared memory. */
unsigned char* dynamic_shared();

/** Waits for all threads of the block. */
void wait_block();

/**
 * Gives `bytes` (at most 32) of this lane to its warp and waits for all lanes.
 *
 * @return 32 slots of 32 bytes, valid until this lane's next exchange
 */
const unsigned char* exchange(const void* mine, size_t bytes);

/** Queues a copy of 4 or 16 bytes (zeros when from is null) until this thread waits for its group. */
void copy_later(void* to, const void* from, size_t bytes);
void commit_copies();
void wait_copies(int newest_allowed);

inline uint16_t round_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

using Thread = void (*)(const void* kernel, void** slots);

void enroll(const char* name, const void* kernel, Thread thread, size_t arity);

template <typename... Args, size_t... I>
void call(void (*kernel)(Args...), void** slots, std::index_sequence<I...>) {
  kernel(*(std::remove_const_t<Args>*)slots[I]...);
}

template <typename... Args>
struct Enrolled {
  static void thread(const void* kernel, void** slots) {
    call((void (*)(Args...))kernel, slots, std::index_sequence_for<Args...>());
  }
};

struct Enroll {
  template <typename... Args>
  Enroll(const char* name, void (*kernel)(Args...)) {
    enroll(name, (const void*)kernel, Enrolled<Args...>::thread, sizeof...(Args));
  }
};

template <typename T>
T from_lane(T mine, int lane) {
  T theirs;
  memcpy(&theirs, exchange(&mine, sizeof(T)) + 32 * lane, sizeof(T));
  return theirs;
}

}  // namespace shim

#define CARAVAN_KERNEL(name) static shim::Enroll enroll_##name(#name, name);

inline void __syncthreads() { shim::wait_block(); }
inline void __syncwarp(unsigned = 0xffffffffu) {
  char nothing = 0;
  shim::exchange(&nothing, 1);
}
template <typename T>
T __shfl_sync(unsigned, T x, int lane) {
  return shim::from_lane(x, lane & 31);
}
template <typename T>
T __shfl_xor_sync(unsigned, T x, int mask) {
  return shim::from_lane(x, (int)(threadIdx.x & 31) ^ mask);
}

inline bool __any_sync(unsigned, bool mine) {
  const unsigned char* all = shim::exchange(&mine, sizeof mine);
  bool any = false;
  for (int lane = 0; lane < 32; lane++) any |= all[32 * lane] != 0;
  return any;
}

// One block after the other: what one wrote is there for the next.
inline void __threadfence() {}
inline int atomicAdd(int* to, int x) {
  int before = *to;
  *to += x;
  return before;
}
template <typename T>
T __ldcg(const T* p) {
  return *p;
}

inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, 4);
  return bits;
}
inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
template <typename T>
T min(T a, T b) {
  return a < b ? a : b;
}
template <typename T>
T max(T a, T b) {
  return a > b ? a : b;
}
using std::sqrt;
