// Attention, forward and backward, against sums in double.
#pragma once
#include "harness.h"

struct Shape {
  int batch, seq, heads, groups, width;
  bool documents;
  double deviation = 1;  // of queries, keys and values: 4 makes maxima leap from tile to tile

  std::string name() const {
    char text[100];
    snprintf(text, sizeof text, "batch %d seq %d heads %d/%d width %d deviation %g%s", batch, seq,
             heads, groups, width, deviation, documents ? " with documents" : "");
    return text;
  }
};

/** The inputs of one attention and what double arithmetic makes of them. */
struct Attention {
  Shape s;
  int row;  // elements per row of qkv
  Reals qkv, dout;
  Ints starts;
  Doubles out, lse, delta, dqkv;

  explicit Attention(Shape s)
      : s(s),
        row((s.heads + 2 * s.groups) * s.width),
        qkv(Reals::normal((size_t)s.batch * s.seq * row, s.deviation)),
        dout(Reals::normal((size_t)s.batch * s.seq * s.heads * s.width)),
        starts((size_t)s.batch * s.seq),
        out(dout.length),
        lse((size_t)s.batch * s.heads * s.seq),
        delta(lse.size()),
        dqkv(qkv.length) {
    for (int b = 0; b < s.batch; b++) {
      int start = 0;
      for (int i = 0; i < s.seq; i++) {
        // Documents of uneven lengths, other ones in each sequence; some shorter than a tile.
        if (s.documents && (i * 7 + b * 3) % 45 == 20) start = i;
        starts[b * s.seq + i] = start;
      }
    }
    Doubles x = qkv.doubles(), g = dout.doubles();
    for (int b = 0; b < s.batch; b++) {
      for (int h = 0; h < s.heads; h++) {
        for (int i = 0; i < s.seq; i++) reference_row(x, g, b, h, i);
      }
    }
  }

  int* starts_or_null() { return s.documents ? starts.data() : nullptr; }

  void reference_row(const Doubles& x, const Doubles& g, int b, int h, int i) {
    int D = s.width, first = starts[b * s.seq + i];
    int group = h / (s.heads / s.groups);
    size_t q = (size_t)(b * s.seq + i) * row + h * D;
    size_t o = ((size_t)(b * s.seq + i) * s.heads + h) * D;
    auto k = [&](int j) { return (size_t)(b * s.seq + j) * row + (s.heads + group) * D; };
    auto v = [&](int j) { return k(j) + s.groups * D; };
    double scale = 1 / std::sqrt((double)D);
    Doubles p(i + 1);
    double total = 0;
    for (int j = first; j <= i; j++) {
      for (int c = 0; c < D; c++) p[j] += x[q + c] * x[k(j) + c] * scale;
      total += std::exp(p[j]);
    }
    size_t statistic = ((size_t)b * s.heads + h) * s.seq + i;
    lse[statistic] = std::log(total);
    for (int j = first; j <= i; j++) {
      p[j] = std::exp(p[j]) / total;
      for (int c = 0; c < D; c++) out[o + c] += p[j] * x[v(j) + c];
    }
    for (int c = 0; c < D; c++) delta[statistic] += g[o + c] * out[o + c];
    for (int j = first; j <= i; j++) {
      double dp = 0;
      for (int c = 0; c < D; c++) dp += g[o + c] * x[v(j) + c];
      double ds = p[j] * (dp - delta[statistic]) * scale;
      for (int c = 0; c < D; c++) {
        dqkv[q + c] += ds * x[k(j) + c];
        dqkv[k(j) + c] += ds * x[q + c];
        dqkv[v(j) + c] += p[j] * g[o + c];
      }
    }
  }
};

inline void attention_forward(const char* kernel, Attention& a, Reals& out, Floats& lse, Grid grid,
                              unsigned threads, unsigned shared) {
  const Shape& s = a.s;
  Stored* q = a.qkv.data();
  Stored* k = q + s.heads * s.width;
  launch(kernel, grid, threads, shared, out.data(), lse.data(), q, k, k + s.groups * s.width, s.seq,
         s.seq, s.heads, s.groups, s.width, a.row, a.row, a.starts_or_null());
  std::string name = std::string(kernel) + ", " + s.name();
  expect_near(name + ", out", out.doubles(), a.out, REAL_TOLERANCE);
  expect_near(name + ", lse", lse.doubles(), a.lse, FLOAT_TOLERANCE);
}

/** The last queries against all keys, as when a prompt's next chunk meets the decoder's cache. */
inline void attention_of_suffix(const char* kernel, const Shape& s, int rows, Grid grid,
                                unsigned threads, unsigned shared) {
  Attention a(s);
  Reals out((size_t)rows * s.heads * s.width);
  Floats lse((size_t)s.heads * rows);
  Stored* k = a.qkv.data() + s.heads * s.width;
  launch(kernel, grid, threads, shared, out.data(), lse.data(),
         a.qkv.data() + (size_t)(s.seq - rows) * a.row, k, k + s.groups * s.width, rows, s.seq,
         s.heads, s.groups, s.width, a.row, a.row, (int*)nullptr);
  Doubles wanted(a.out.end() - out.length, a.out.end());
  expect_near(std::string(kernel) + " of " + std::to_string(rows) + " queries, " + s.name(),
              out.doubles(), wanted, REAL_TOLERANCE);
}

inline void attention_plain_equals_double(Shape s) {
  Attention a(s);
  Reals out(a.dout.length), dqkv(a.qkv.length);
  Floats lse(a.lse.size()), delta(a.lse.size());
  unsigned batch = s.batch, tiles = ceil_div(s.seq, 4);
  attention_forward("attention_plain", a, out, lse, {(unsigned)s.heads, batch, tiles}, 128, 0);
  launch("attention_delta", {(unsigned)s.heads, batch, ceil_div(s.seq, 16)}, 128, 0, delta.data(), a.dout.data(),
         out.data(), s.seq, s.heads, s.width);
  expect_near("attention_delta, " + s.name(), delta.doubles(), a.delta, 3 * REAL_TOLERANCE);
  launch("attention_backward_q_plain", {(unsigned)s.heads, batch, tiles}, 128, 0, dqkv.data(),
         a.dout.data(), a.qkv.data(), lse.data(), delta.data(), s.seq, s.heads, s.groups, s.width,
         a.starts_or_null());
  launch("attention_backward_kv_plain", {(unsigned)s.groups, batch, tiles}, 128, 0, dqkv.data(),
         a.dout.data(), a.qkv.data(), lse.data(), delta.data(), s.seq, s.heads, s.groups, s.width,
         a.starts_or_null());
  expect_near("attention_backward_plain, " + s.name(), dqkv.doubles(), a.dqkv, 2 * REAL_TOLERANCE);
}

#if REAL_BF16
/** The tensor core kernels whose width is the least that holds s.width. */
inline void attention_equals_double(Shape s) {
  Attention a(s);
  Reals out(a.dout.length), dqkv(a.qkv.length);
  Floats lse(a.lse.size()), delta(a.lse.size());
  unsigned batch = s.batch, heads = s.heads, groups = s.groups, tiles = ceil_div(s.seq, 128);
  int W = s.width <= 64 ? 64 : s.width <= 96 ? 96 : 128;
  std::string suffix = "_" + std::to_string(W);
  unsigned forward = W == 64 ? 55296 : W == 96 ? 53248 : 69632;
  attention_forward(("attention" + suffix).c_str(), a, out, lse, {heads, batch, tiles}, 128, forward);
  for (size_t i = 0; i < delta.length; i++) delta.set(i, a.delta[i]);
  unsigned shared = W == 64 ? 55296 : W == 96 ? 79872 : 104448;
  launch(("attention_backward_q" + suffix).c_str(), {heads, batch, tiles}, W == 128 ? 256 : 128,
         shared, dqkv.data(), a.dout.data(), a.qkv.data(), lse.data(), delta.data(), s.seq, s.heads,
         s.groups, s.width, a.starts_or_null());
  launch(("attention_backward_kv" + suffix).c_str(),
         {groups, batch, ceil_div(s.seq, W == 64 ? 128 : 64)}, 128,
         shared + (W == 64 ? 768 : 1536), dqkv.data(), a.dout.data(), a.qkv.data(), lse.data(),
         delta.data(), s.seq, s.heads, s.groups, s.width, a.starts_or_null());
  expect_near("attention_backward" + suffix + ", " + s.name(), dqkv.doubles(), a.dqkv,
              2 * REAL_TOLERANCE);
}

/** Hopper's kernels; their tiles are wider than the others'. */
inline void attention_hopper_equals_double(Shape s) {
  Attention a(s);
  Reals out(a.dout.length), dqkv(a.qkv.length);
  Floats lse(a.lse.size()), delta(a.lse.size());
  unsigned batch = s.batch, heads = s.heads, groups = s.groups, tiles = ceil_div(s.seq, 128);
  int W = s.width <= 64 ? 64 : 128;
  std::string suffix = "hopper_" + std::to_string(W);
  attention_forward(("attention_" + suffix).c_str(), a, out, lse, {heads, batch, tiles}, 256,
                    W == 64 ? 49152 : 163840);
  for (size_t i = 0; i < delta.length; i++) delta.set(i, a.delta[i]);
  launch(("attention_backward_q_" + suffix).c_str(), {heads, batch, tiles}, 256,
         W == 64 ? 65536 : 196608, dqkv.data(), a.dout.data(), a.qkv.data(), lse.data(),
         delta.data(), s.seq, s.heads, s.groups, s.width, a.starts_or_null());
  launch(("attention_backward_kv_" + suffix).c_str(), {groups, batch, tiles}, 256,
         W == 64 ? 101376 : 132608, dqkv.data(), a.dout.data(), a.qkv.data(), lse.data(),
         delta.data(), s.seq, s.heads, s.groups, s.width, a.starts_or_null());
  expect_near("attention_backward_" + suffix + ", " + s.name(), dqkv.doubles(), a.dqkv,
              2 * REAL_TOLERANCE);
}
#endif
