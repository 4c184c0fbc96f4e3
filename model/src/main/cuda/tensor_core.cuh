// The tensor core's product of bfloat16 fragments, the loads that feed it and asynchronous copies to
// shared memory (PTX ISA, sections on mma.m16n8k16, ldmatrix and cp.async; sm_80 and later). The
// shim's bodies do the same by exchanges within a warp.
//
// Fragments of the lane 4 g + t, g in 0 .. 7, t in 0 .. 3, two elements to a word:
//   A [16, 16]: rows g, g + 8 of columns 2t, 2t + 1, then the same rows of columns 2t + 8, 2t + 9
//   B [16, 8] : rows 2t, 2t + 1, then 2t + 8, 2t + 9, of column g
//   C [16, 8] : columns 2t, 2t + 1 of row g, then of row g + 8 (float)
#pragma once
#include "caravan.cuh"

// Four 8 x 8 matrices; lanes 8 i .. 8 i + 7 give the addresses of matrix i's rows of 16 bytes.
DEVICE void load_matrices(unsigned r[4], const bf16* row) {
#ifdef CARAVAN_SHIM
  const unsigned char* rows = shim::exchange(row, 16);
  int lane = threadIdx.x % WARP;
  for (int i = 0; i < 4; i++) memcpy(&r[i], rows + (8 * i + lane / 4) * 32 + lane % 4 * 4, 4);
#else
  unsigned at = (unsigned)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at));
#endif
}

// The same matrices, each transposed.
DEVICE void load_transposed(unsigned r[4], const bf16* row) {
#ifdef CARAVAN_SHIM
  const unsigned char* rows = shim::exchange(row, 16);
  int lane = threadIdx.x % WARP;
  for (int i = 0; i < 4; i++) {
    unsigned short pair[2];
    for (int j = 0; j < 2; j++) {
      memcpy(&pair[j], rows + (8 * i + lane % 4 * 2 + j) * 32 + lane / 4 * 2, 2);
    }
    r[i] = pair[0] | (unsigned)pair[1] << 16;
  }
#else
  unsigned at = (unsigned)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(at));
#endif
}

// c += a b, in float.
DEVICE void multiply(float c[4], const unsigned a[4], unsigned b0, unsigned b1) {
#ifdef CARAVAN_SHIM
  unsigned mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const unsigned char* all = shim::exchange(mine, sizeof mine);
  int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 16; k++) {
      unsigned left, right;
      memcpy(&left, all + (g * 4 + k % 8 / 2) * 32 + (i / 2 + k / 8 * 2) * 4, 4);
      memcpy(&right, all + ((2 * t + i % 2) * 4 + k % 8 / 2) * 32 + (4 + k / 8) * 4, 4);
      c[i] += k % 2 ? high_half(left) * high_half(right) : low_half(left) * low_half(right);
    }
  }
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

// BYTES (4 or 16) from device to shared memory, zeros when not valid; done after wait_copies.
template <int BYTES>
DEVICE void copy_async(void* to, const void* from, bool valid) {
#ifdef CARAVAN_SHIM
  shim::copy_later(to, valid ? from : nullptr, BYTES);
#else
  unsigned at = (unsigned)__cvta_generic_to_shared(to);
  int bytes = valid ? BYTES : 0;
  if (BYTES == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(from), "r"(bytes)
                 : "memory");
  }
#endif
}

// Closes a group of this thread's copies.
DEVICE void commit_copies() {
#ifdef CARAVAN_SHIM
  shim::commit_copies();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits for this thread's groups but the newest N; other threads' need a barrier after it.
template <int N>
DEVICE void wait_copies() {
#ifdef CARAVAN_SHIM
  shim::wait_copies(N);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// Tiles of D columns lie in shared memory with rows D + 8 elements apart: an odd number of 16-byte
// units, so that the eight rows of a matrix never share a bank.
template <int D>
constexpr int TILE_STRIDE = D + 8;

// Starts copying `rows` (at most ROWS) rows of `width` (at most D) elements, `stride` apart; the
// rest of the tile becomes zero. 16-byte aligned: width and stride are multiples of 8.
template <int ROWS, int D, int THREADS>
DEVICE void copy_tile(bf16* tile, const bf16* from, long long stride, int rows, int width) {
  constexpr int UNITS = D / 8;
  static_assert(ROWS * UNITS % THREADS == 0, "whole rounds of copies");
#pragma unroll
  for (int i = 0; i < ROWS * UNITS / THREADS; i++) {
    int unit = threadIdx.x + i * THREADS;
    int row = unit / UNITS, at = unit % UNITS * 8;
    bool valid = row < rows && at < width;
    copy_async<16>(tile + row * TILE_STRIDE<D> + at, valid ? from + row * stride + at : from, valid);
  }
}

// c [16 M, 8 N] += a b^T for tiles a [16 M, D], b [8 N, D] in shared memory.
template <int M, int N, int D>
DEVICE void times_transposed(float c[M][N][4], const bf16* a, const bf16* b) {
  int lane = threadIdx.x % WARP;
  const bf16* of_a = a + lane % 16 * TILE_STRIDE<D> + lane / 16 * 8;
  const bf16* of_b = b + (lane / 16 * 8 + lane % 8) * TILE_STRIDE<D> + lane / 8 % 2 * 8;
#pragma unroll
  for (int k = 0; k < D / 16; k++) {
    unsigned left[M][4];
#pragma unroll
    for (int m = 0; m < M; m++) load_matrices(left[m], of_a + m * 16 * TILE_STRIDE<D> + k * 16);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      unsigned right[4];
      load_matrices(right, of_b + n * 8 * TILE_STRIDE<D> + k * 16);
#pragma unroll
      for (int m = 0; m < M; m++) {
        multiply(c[m][n], left[m], right[0], right[1]);
        multiply(c[m][n + 1], left[m], right[2], right[3]);
      }
    }
  }
}

// c [16 M, D] += a b for a [16 M, 8 K] in the registers of an earlier product, rounded to bf16, and
// the tile b [8 K, D] in shared memory.
template <int M, int K, int D>
DEVICE void times(float c[M][D / 8][4], const float a[M][K][4], const bf16* b) {
  int lane = threadIdx.x % WARP;
  const bf16* of_b = b + lane % 16 * TILE_STRIDE<D> + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < K; k += 2) {
    unsigned left[M][4];
#pragma unroll
    for (int m = 0; m < M; m++) {
      left[m][0] = pack2(a[m][k][0], a[m][k][1]);
      left[m][1] = pack2(a[m][k][2], a[m][k][3]);
      left[m][2] = pack2(a[m][k + 1][0], a[m][k + 1][1]);
      left[m][3] = pack2(a[m][k + 1][2], a[m][k + 1][3]);
    }
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      unsigned right[4];
      load_transposed(right, of_b + k * 8 * TILE_STRIDE<D> + n * 8);
#pragma unroll
      for (int m = 0; m < M; m++) {
        multiply(c[m][n], left[m], right[0], right[1]);
        multiply(c[m][n + 1], left[m], right[2], right[3]);
      }
    }
  }
}

// Writes a warp's c [16 M, D] as rows of `to`, `stride` apart, by way of the warp's own rows of a
// tile. Row i of c times factors[m][i / 8].
template <int M, int D>
DEVICE void store_rows(
    bf16* to, long long stride, int rows, int width, bf16* tile, const float c[M][D / 8][4],
    const float factors[M][2]) {
  int lane = threadIdx.x % WARP;
  __syncwarp();  // all lanes are done with what the tile held
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
      bf16* at = tile + (m * 16 + lane / 4) * TILE_STRIDE<D> + n * 8 + lane % 4 * 2;
      *(unsigned*)at = pack2(c[m][n][0] * factors[m][0], c[m][n][1] * factors[m][0]);
      *(unsigned*)(at + 8 * TILE_STRIDE<D>) =
          pack2(c[m][n][2] * factors[m][1], c[m][n][3] * factors[m][1]);
    }
  }
  __syncwarp();
#pragma unroll
  for (int i = 0; i < M * D / 16; i++) {
    int unit = lane + i * WARP;
    int row = unit / (D / 8), at = unit % (D / 8) * 8;
    if (row < rows && at < width) {
      *(uint4*)(to + row * stride + at) = *(const uint4*)(tile + row * TILE_STRIDE<D> + at);
    }
  }
}
