// Hopper's asynchronous products of a warpgroup (PTX ISA, wgmma.mma_async; sm_90a): four warps
// multiply 64 rows by a tile that stays in shared memory. HOPPER is defined where they exist; the
// shim decodes the same descriptors.
//
// A tile [ROWS, D] is kept as D / 64 panels [ROWS, 64], rows of 128 bytes, with the 16-byte units of
// row r exchanged by unit ^ (r % 8): the layout "128-byte swizzle" of the descriptors. It starts at a
// multiple of 1024 bytes. The same panels serve as a factor along their columns and, transposed,
// along their rows. A warpgroup's accumulators lie like those of tensor_core.cuh, 16 rows to a warp.
#pragma once
#include "tensor_core.cuh"

#if REAL_BF16 && (defined(CARAVAN_SHIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL))
#define HOPPER 1

// Element of row `row`, column `column` in panels of ROWS rows.
template <int ROWS>
DEVICE int panel_index(int row, int column) {
  return column / 64 * ROWS * 64 + row * 64 + ((column % 64 / 8) ^ (row % 8)) * 8 + column % 8;
}

// copy_tile's arguments, into panels.
template <int ROWS, int D, int THREADS>
DEVICE void copy_panels(bf16* panels, const bf16* from, long long stride, int rows, int width) {
  constexpr int UNITS = D / 8;
#pragma unroll
  for (int i = 0; i < (ROWS * UNITS + THREADS - 1) / THREADS; i++) {
    int unit = threadIdx.x + i * THREADS;
    if (ROWS * UNITS % THREADS != 0 && unit >= ROWS * UNITS) break;
    int row = unit / UNITS, at = unit % UNITS * 8;
    bool valid = row < rows && at < width;
    copy_async<16>(
        panels + panel_index<ROWS>(row, at), valid ? from + row * stride + at : from, valid);
  }
}

// Where a factor starts and how far apart its pieces are, for a product's operand. Along columns:
// groups of 8 rows are 1024 bytes apart and `leading` is not used. Along rows: groups of 8 rows are
// 1024 bytes apart, panels `leading` bytes.
DEVICE unsigned long long descriptor(const bf16* at, unsigned leading) {
#ifdef CARAVAN_SHIM
  unsigned address = (unsigned)((const unsigned char*)at - shim::dynamic_shared());
#else
  unsigned address = (unsigned)__cvta_generic_to_shared(at);
#endif
  return (unsigned long long)(address >> 4 & 0x3fff) | (unsigned long long)(leading >> 4) << 16 |
         (unsigned long long)(1024 >> 4) << 32 | 1ull << 62;
}

#ifdef CARAVAN_SHIM
// The element (row, k) of a factor along columns, or (column k, row) of one along rows.
DEVICE float described(unsigned long long descriptor, int outer, int k, bool along_rows) {
  unsigned start = (descriptor & 0x3fff) << 4, leading = (descriptor >> 16 & 0x3fff) << 4;
  unsigned stride = (descriptor >> 32 & 0x3fff) << 4;
  unsigned at = along_rows ? start + outer / 64 * leading + outer % 64 * 2 + k % 8 * 128 + k / 8 * stride
                           : start + outer / 8 * stride + outer % 8 * 128 + k * 2;
  at ^= (at >> 7 & 7) << 4;
  bf16 x;
  memcpy(&x, shim::dynamic_shared() + at, 2);
  return to_float(x);
}

template <int N>
DEVICE void multiply_shim(
    float c[N][4], const float left[2][16], unsigned long long b, bool along_rows, int accumulate) {
  for (int n = 0; n < N; n++) {
    for (int i = 0; i < 4; i++) {
      float sum = accumulate ? c[n][i] : 0.f;
      for (int k = 0; k < 16; k++) {
        sum += left[i / 2][k] * described(b, n * 8 + threadIdx.x % 4 * 2 + i % 2, k, along_rows);
      }
      c[n][i] = sum;
    }
  }
}
#endif

#define ACCUMULATORS(i) "+f"(c[i][0]), "+f"(c[i][1]), "+f"(c[i][2]), "+f"(c[i][3])
#define ACCUMULATORS_8(i)                                                              \
  ACCUMULATORS(i), ACCUMULATORS(i + 1), ACCUMULATORS(i + 2), ACCUMULATORS(i + 3),      \
      ACCUMULATORS(i + 4), ACCUMULATORS(i + 5), ACCUMULATORS(i + 6), ACCUMULATORS(i + 7)
#define REGISTERS_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
  "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define REGISTERS_64 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
  "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, " \
  "%38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, " \
  "%56, %57, %58, %59, %60, %61, %62, %63"

// c [64, 8 N] = (accumulate ? c : 0) + a b^T, 16 columns of both, both along columns. Asynchronous:
// between start_products and wait_products nobody may touch c, or a in registers.
template <int N>
DEVICE void multiply(float (&c)[N][4], unsigned long long a, unsigned long long b, int accumulate) {
  static_assert(N == 8 || N == 16, "tiles of 64 or 128");
#ifdef CARAVAN_SHIM
  float left[2][16];
  for (int i = 0; i < 32; i++) {
    int row = threadIdx.x % 128 / WARP * 16 + i / 16 * 8 + threadIdx.x % WARP / 4;
    left[i / 16][i % 16] = described(a, row, i % 16, false);
  }
  multiply_shim<N>(c, left, b, false, accumulate);
#else
  if constexpr (N == 8) {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %34, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" REGISTERS_32
        "}, %32, %33, p, 1, 1, 0, 0; }"
        : ACCUMULATORS_8(0)
        : "l"(a), "l"(b), "r"(accumulate));
  } else {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %66, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" REGISTERS_64
        "}, %64, %65, p, 1, 1, 0, 0; }"
        : ACCUMULATORS_8(0), ACCUMULATORS_8(8)
        : "l"(a), "l"(b), "r"(accumulate));
  }
#endif
}

// c [64, 8 N] += a b for a [64, 16] in registers and 16 rows of b, along rows.
template <int N>
DEVICE void multiply(float (&c)[N][4], const unsigned a[4], unsigned long long b) {
  static_assert(N == 8 || N == 16, "tiles of 64 or 128");
#ifdef CARAVAN_SHIM
  const unsigned char* all = shim::exchange(a, 16);
  float left[2][16];
  for (int i = 0; i < 32; i++) {
    int k = i % 16;
    unsigned both;
    memcpy(&both, all + (threadIdx.x % WARP / 4 * 4 + k % 8 / 2) * 32 + (i / 16 + k / 8 * 2) * 4, 4);
    left[i / 16][k] = k % 2 ? high_half(both) : low_half(both);
  }
  multiply_shim<N>(c, left, b, true, 1);
#else
  if constexpr (N == 8) {
    asm volatile(
        "{ .reg .pred p; setp.eq.b32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" REGISTERS_32
        "}, {%32, %33, %34, %35}, %36, p, 1, 1, 1; }"
        : ACCUMULATORS_8(0)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  } else {
    asm volatile(
        "{ .reg .pred p; setp.eq.b32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" REGISTERS_64
        "}, {%64, %65, %66, %67}, %68, p, 1, 1, 1; }"
        : ACCUMULATORS_8(0), ACCUMULATORS_8(8)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
#endif
}

// Registers written before are seen by the products that follow.
DEVICE void start_products() {
#ifndef CARAVAN_SHIM
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

DEVICE void commit_products() {
#ifndef CARAVAN_SHIM
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits for all committed groups but the newest PENDING.
template <int PENDING>
DEVICE void wait_products() {
#ifndef CARAVAN_SHIM
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
#endif
}

// Keeps the compiler from reading accumulators before the wait that precedes this.
template <int N>
DEVICE void settle(float (&c)[N][4]) {
#ifndef CARAVAN_SHIM
#pragma unroll
  for (int n = 0; n < N; n++) {
    asm volatile("" : "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3])::"memory");
  }
#endif
}

// This thread's copies become visible to the products: after wait_copies, before a barrier.
DEVICE void publish_copies() {
#ifndef CARAVAN_SHIM
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Issues c [64, 8 N] = a b^T over D columns; a and b start at a row that is a multiple of 8 of panels
// with A_ROWS and B_ROWS rows.
template <int D, int A_ROWS, int B_ROWS, int N>
DEVICE void issue_times_transposed(float (&c)[N][4], const bf16* a, const bf16* b) {
#pragma unroll
  for (int k = 0; k < D / 16; k++) {
    multiply<N>(c, descriptor(a + k / 4 * A_ROWS * 64 + k % 4 * 16, 16),
                descriptor(b + k / 4 * B_ROWS * 64 + k % 4 * 16, 16), k > 0);
  }
}

// Issues c [64, D] += a b for a [64, 8 N] packed by pack_fragments and the panels b [8 N, D].
template <int N, int D>
DEVICE void issue_times(float (&c)[D / 8][4], const unsigned a[N / 2][4], const bf16* b) {
#pragma unroll
  for (int k = 0; k < N / 2; k++) {
    multiply<D / 8>(c, a[k], descriptor(b + k * 16 * 64, N * 8 * 128));
  }
}

// Accumulators as the left factor of a product.
template <int N>
DEVICE void pack_fragments(unsigned a[N / 2][4], const float (&c)[N][4]) {
#pragma unroll
  for (int k = 0; k < N / 2; k++) {
    a[k][0] = pack2(c[2 * k][0], c[2 * k][1]);
    a[k][1] = pack2(c[2 * k][2], c[2 * k][3]);
    a[k][2] = pack2(c[2 * k + 1][0], c[2 * k + 1][1]);
    a[k][3] = pack2(c[2 * k + 1][2], c[2 * k + 1][3]);
  }
}

// Writes the warp's 16 rows of c times factors (of its upper and lower 8), by way of its own rows,
// from `row0`, of panels that nobody reads any more. The destination starts at the warp's first row.
template <int ROWS, int D>
DEVICE void store_panel_rows(
    bf16* to, long long stride, int rows, int width, bf16* panels, int row0,
    const float (&c)[D / 8][4], float upper, float lower) {
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int n = 0; n < D / 8; n++) {
    int row = row0 + lane / 4, column = n * 8 + lane % 4 * 2;
    *(unsigned*)(panels + panel_index<ROWS>(row, column)) = pack2(c[n][0] * upper, c[n][1] * upper);
    *(unsigned*)(panels + panel_index<ROWS>(row + 8, column)) =
        pack2(c[n][2] * lower, c[n][3] * lower);
  }
  __syncwarp();
#pragma unroll
  for (int i = 0; i < D / 16; i++) {
    int unit = lane + i * WARP;
    int row = unit / (D / 8), at = unit % (D / 8) * 8;
    if (row < rows && at < width) {
      *(uint4*)(to + row * stride + at) =
          *(const uint4*)(panels + panel_index<ROWS>(row0 + row, at));
    }
  }
}
#endif
