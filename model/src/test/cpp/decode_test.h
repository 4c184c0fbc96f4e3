// The kernels of one token.
#pragma once
#include "elementwise_test.h"

inline void gemv_equals_double(int rows, int cols) {
  Reals w = Reals::normal((size_t)2 * rows * cols);
  Floats x = Floats::normal(cols, 0.3), gain = Floats::normal(cols, 0.2, 1), y = Floats::normal(rows);
  Floats normed(rows), h(rows);
  Reals copy(rows);
  double squares = 0, epsilon = 1e-3f;
  for (int c = 0; c < cols; c++) squares += x.get(c) * x.get(c);
  double r = 1 / std::sqrt(squares / cols + epsilon);
  Doubles products(2 * rows), added = y.doubles(), activated(rows), wanted(rows);
  for (int row = 0; row < 2 * rows; row++) {
    for (int c = 0; c < cols; c++) {
      products[row] += w.get(row * cols + c) * x.get(c) * r * gain.get(c);
      if (row < rows) added[row] += w.get(row * cols + c) * x.get(c);
    }
  }
  for (int row = 0; row < rows; row++) {
    wanted[row] = products[row];
    activated[row] = products[row] / (1 + std::exp(-products[row])) * products[rows + row];
  }
  std::string name = " " + std::to_string(rows) + " by " + std::to_string(cols);
  launch("add_gemv", {ceil_div(rows, 4)}, 128, 0, y.data(), w.data(), x.data(), rows, cols);
  launch("norm_gemv", {ceil_div(rows, 8)}, 128, 0, normed.data(), copy.data(), w.data(), x.data(),
         gain.data(), rows, cols, 1e-3f);
  launch("norm_gemv_swiglu", {ceil_div(rows, 4)}, 128, 0, h.data(), w.data(), x.data(), gain.data(),
         rows, cols, 1e-3f);
  expect_near("add_gemv" + name, y.doubles(), added, FLOAT_TOLERANCE);
  expect_near("norm_gemv" + name, normed.doubles(), wanted, FLOAT_TOLERANCE);
  expect_near("norm_gemv's copy" + name, copy.doubles(), wanted, REAL_TOLERANCE);
  expect_near("norm_gemv_swiglu" + name, h.doubles(), activated, 2 * FLOAT_TOLERANCE);
}

/** The token after `length - 1` others: turned, put into the cache, and what it sees there. */
inline void decode_attention_equals_double(int length, int shares, int D) {
  int H = 4, G = 2, row = 2 * G * D, position = length - 1;
  Reals qkv = Reals::normal((size_t)(H + 2 * G) * D), cache = Reals::normal((size_t)length * row);
  for (int c = 0; c < row; c++) cache.set((size_t)position * row + c, NAN);
  Floats table = angles(length, D), out(H * D), partial(H * shares * (D + 2));
  Ints state = Ints::of({7, position}), arrived = Ints::of({0, 0, 0, 0});
  Reals turned = qkv, whole = cache;
  launch("rope_cache", {1}, 256, 0, turned.data(), whole.data(), table.data(), 1, position, H, G, D);
  Doubles wanted(H * D);
  for (int h = 0; h < H; h++) {
    Doubles p(length);
    double total = 0;
    for (int j = 0; j < length; j++) {
      for (int c = 0; c < D; c++) p[j] += turned.get(h * D + c) * whole.get(j * row + h / 2 * D + c);
      total += p[j] = std::exp(p[j] / std::sqrt((double)D));
    }
    for (int j = 0; j < length; j++) {
      for (int c = 0; c < D; c++) {
        wanted[h * D + c] += p[j] / total * whole.get(j * row + (G + h / 2) * D + c);
      }
    }
  }
  std::string name = " over " + std::to_string(length) + " keys in up to " + std::to_string(shares) +
                     " shares of width " + std::to_string(D);
  for (int again = 0; again < 2; again++) {
    launch("decode_attention", {(unsigned)H, (unsigned)shares}, 128, 0, out.data(), partial.data(),
           arrived.data(), qkv.data(), cache.data(), table.data(), state.data(), H, G, D);
    expect_near("decode_attention" + name, out.doubles(), wanted, REAL_TOLERANCE);
  }
  expect_near("decode_attention's cache" + name, cache.doubles(), whole.doubles(), 0);
}

inline void argmax_is_the_first_highest(int V) {
  Floats logits = Floats::normal(V), partial(64);
  Ints best(1), arrived = Ints::of({0});
  auto expect = [&](int wanted) {
    for (int again = 0; again < 2; again++) {
      launch("argmax", {7}, 256, 0, best.data(), partial.data(), arrived.data(), logits.data(), V);
      failures() += best[0] != wanted;
      printf("%s argmax of %d: %d, wanted %d\n", best[0] == wanted ? "ok" : "WRONG", V, best[0], wanted);
    }
  };
  logits[V / 3] = logits[V - 1] = 9;
  expect(V / 3);
  logits[V / 2] = NAN;
  expect(-1);
}

inline void next_row_is_embedded(int d) {
  Reals embedding = Reals::normal((size_t)5 * d);
  Ints next = Ints::of({3, 11}), state(2);
  Floats x(d);
  Doubles wanted(d);
  for (int c = 0; c < d; c++) wanted[c] = embedding.get(3 * d + c);
  launch("embed_next", {1}, row_threads(d), 0, x.data(), state.data(), next.data(), embedding.data(), d);
  expect_near("embed_next of " + std::to_string(d), x.doubles(), wanted, 0);
  failures() += state[0] != 3 || state[1] != 11;
}

inline void decode_equals_double() {
  gemv_equals_double(19, 576);
  gemv_equals_double(8, 77);
  gemv_equals_double(5, 2600);
  // A share without keys, one key alone, widths off the vector path.
  decode_attention_equals_double(1, 3, 64);
  decode_attention_equals_double(300, 4, 128);
  decode_attention_equals_double(50, 2, 20);
  decode_attention_equals_double(193, 8, 256);
  argmax_is_the_first_highest(6000);
  argmax_is_the_first_highest(9);
  next_row_is_embedded(576);
  next_row_is_embedded(30);
  int D = 16, H = 2, G = 1, rows = 3, first = 4, row = (H + 2 * G) * D;
  Reals qkv = Reals::normal((size_t)rows * row), cache(10 * 2 * G * D);
  Floats table = angles(10, D);
  Reals turned = qkv;
  launch("rope", {1}, 256, 0, turned.data(), table.data(), rows, rows, H, G, D, first, 0);
  launch("rope_cache", {1}, 256, 0, qkv.data(), cache.data(), table.data(), rows, first, H, G, D);
  Doubles gotQ, wantedQ, gotCache, wantedCache;
  for (int r = 0; r < rows; r++) {
    for (int i = 0; i < row; i++) {
      bool query = i < H * D;
      (query ? wantedQ : wantedCache).push_back(turned.get(r * row + i));
      (query ? gotQ : gotCache)
          .push_back(query ? qkv.get(r * row + i) : cache.get((first + r) * 2 * G * D + i - H * D));
    }
  }
  expect_near("rope_cache's queries", gotQ, wantedQ, 0);
  expect_near("rope_cache's cache", gotCache, wantedCache, 0);
}
