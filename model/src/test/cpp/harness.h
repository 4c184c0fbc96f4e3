// Arrays, launches and comparisons of the kernel tests: every result against plain double arithmetic
// on the very inputs the kernel saw.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

extern "C" int caravan_launch(
    const char* name, const unsigned grid[3], unsigned threads, unsigned shared_bytes, void** slots);
extern "C" const char* caravan_error();

using Doubles = std::vector<double>;

#if REAL_BF16
using Stored = uint16_t;
constexpr double REAL_TOLERANCE = 6e-3;
#else
using Stored = float;
constexpr double REAL_TOLERANCE = 2e-6;
#endif
constexpr double FLOAT_TOLERANCE = 2e-6;

inline std::mt19937& generator() {
  static std::mt19937 random(20);
  return random;
}

/** A buffer as the kernel sees it, 16-byte aligned, poisoned with NaN until it is filled. */
template <typename T>
struct Array {
  std::vector<float4> storage;
  size_t length;

  explicit Array(size_t length) : storage((length * sizeof(T) + 15) / 16 + 1), length(length) {
    memset((void*)storage.data(), 0xff, storage.size() * 16);
  }

  T* data() { return (T*)storage.data(); }
  T& operator[](size_t i) { return data()[i]; }

  static Array normal(size_t length, double deviation = 1, double mean = 0) {
    Array array(length);
    std::normal_distribution<double> values(mean, deviation);
    for (size_t i = 0; i < length; i++) array.set(i, values(generator()));
    return array;
  }

  static Array of(const std::vector<T>& values) {
    Array array(values.size());
    for (size_t i = 0; i < values.size(); i++) array[i] = values[i];
    return array;
  }

  void set(size_t i, double x);
  double get(size_t i);

  Doubles doubles() {
    Doubles all(length);
    for (size_t i = 0; i < length; i++) all[i] = get(i);
    return all;
  }
};

template <>
inline void Array<float>::set(size_t i, double x) {
  data()[i] = (float)x;
}
template <>
inline double Array<float>::get(size_t i) {
  return data()[i];
}
#if REAL_BF16
template <>
inline void Array<uint16_t>::set(size_t i, double x) {
  data()[i] = shim::round_bf16((float)x);
}
template <>
inline double Array<uint16_t>::get(size_t i) {
  return __uint_as_float((unsigned)data()[i] << 16);
}
#endif
template <>
inline double Array<double>::get(size_t i) {
  return data()[i];
}

using Reals = Array<Stored>;
using Floats = Array<float>;
using Ints = Array<int>;

struct Grid {
  unsigned x, y = 1, z = 1;
};

/** Launches a kernel with arguments in 8-byte slots, as the host does. */
template <typename... Args>
void launch(const char* name, Grid grid, unsigned threads, unsigned shared_bytes, Args... args) {
  uint64_t slots[] = {[](auto x) {
    uint64_t slot = 0xabababababababab;
    static_assert(sizeof(x) <= 8);
    memcpy(&slot, &x, sizeof(x));
    return slot;
  }(args)...};
  void* pointers[sizeof...(args)];
  for (size_t i = 0; i < sizeof...(args); i++) pointers[i] = &slots[i];
  unsigned sizes[3] = {grid.x, grid.y, grid.z};
  if (!caravan_launch(name, sizes, threads, shared_bytes, pointers)) {
    printf("FAILED %s\n", caravan_error());
    exit(1);
  }
}

inline int& failures() {
  static int count = 0;
  return count;
}

/** Relative distance of the whole result, and that no element is NaN. */
inline void expect_near(
    const std::string& what, const Doubles& got, const Doubles& wanted, double tolerance) {
  double apart = 0, size = 0;
  for (size_t i = 0; i < wanted.size(); i++) {
    apart += (got[i] - wanted[i]) * (got[i] - wanted[i]);
    size += wanted[i] * wanted[i];
  }
  double error = std::sqrt(apart / (size + 1e-30));
  bool near = got.size() == wanted.size() && error <= tolerance;
  failures() += !near;
  printf("%s %s: relative error %.2e, allowed %.2e\n", near ? "ok" : "WRONG", what.c_str(), error,
         tolerance);
}

inline unsigned ceil_div(long long a, long long b) { return (unsigned)((a + b - 1) / b); }

/** Threads for one row of d elements: one per 8, in whole warps. */
inline unsigned row_threads(int d) { return std::min(1024u, ceil_div(ceil_div(d, 8), 32) * 32); }
