// Norms, activations, loss, optimizer and decoding against plain double arithmetic.
#pragma once
#include "harness.h"

inline void norms_equal_double(int n, int d) {
  Floats x = Floats::normal((size_t)n * d, 1.5), gain = Floats::normal(d, 0.2, 1);
  Reals delta = Reals::normal((size_t)n * d), dy = Reals::normal((size_t)n * d);
  Reals y(n * d), y2(n * d), copy(n * d);
  Floats rstd(n), rstd2(n), sum(n * d), dx = Floats::normal((size_t)n * d);
  float epsilon = 1e-5f;
  std::string width = " of width " + std::to_string(d);
  launch("rmsnorm", {(unsigned)n}, row_threads(d), 0, y.data(), rstd.data(), x.data(), gain.data(),
         d, epsilon);
  launch("add_rmsnorm", {(unsigned)n}, row_threads(d), 0, y2.data(), rstd2.data(), sum.data(),
         x.data(), delta.data(), gain.data(), d, epsilon);
  Doubles wantedY(n * d), wantedR(n), wantedSum(n * d), wantedY2(n * d), wantedR2(n);
  auto norm = [&](std::function<double(int)> at, int row, Doubles& out, Doubles& r) {
    double squares = 0;
    for (int i = 0; i < d; i++) squares += at(i) * at(i);
    r[row] = 1 / std::sqrt(squares / d + epsilon);
    for (int i = 0; i < d; i++) out[row * d + i] = at(i) * r[row] * gain[i];
  };
  for (int row = 0; row < n; row++) {
    auto sumAt = [&](int i) { return x[row * d + i] + delta.get(row * d + i); };
    for (int i = 0; i < d; i++) wantedSum[row * d + i] = sumAt(i);
    norm([&](int i) { return (double)x[row * d + i]; }, row, wantedY, wantedR);
    norm(sumAt, row, wantedY2, wantedR2);
  }
  expect_near("rmsnorm" + width, y.doubles(), wantedY, REAL_TOLERANCE);
  expect_near("rmsnorm's reciprocal" + width, rstd.doubles(), wantedR, FLOAT_TOLERANCE);
  expect_near("add_rmsnorm" + width, y2.doubles(), wantedY2, REAL_TOLERANCE);
  expect_near("add_rmsnorm's sum" + width, sum.doubles(), wantedSum, FLOAT_TOLERANCE);

  unsigned blocks = 2;
  Floats partial(blocks * d), dgain = Floats::normal(d);
  Doubles wantedDx = dx.doubles(), wantedGain = dgain.doubles();
  for (int row = 0; row < n; row++) {
    double dot = 0, r = wantedR[row];
    for (int i = 0; i < d; i++) {
      double product = dy.get(row * d + i) * x[row * d + i];
      dot += product * gain[i];
      wantedGain[i] += product * r;
    }
    for (int i = 0; i < d; i++) {
      wantedDx[row * d + i] +=
          dy.get(row * d + i) * gain[i] * r - x[row * d + i] * r * r * r / d * dot;
    }
  }
  launch("rmsnorm_backward", {blocks}, std::min(512u, row_threads(d)), 4 * d, dx.data(),
         copy.data(), partial.data(), dy.data(), x.data(), rstd.data(), gain.data(), n, d);
  launch("reduce_rows", {ceil_div(d, 32)}, 256, 0, dgain.data(), partial.data(), (int)blocks, d, 1);
  expect_near("rmsnorm_backward's dx" + width, dx.doubles(), wantedDx, FLOAT_TOLERANCE);
  expect_near("rmsnorm_backward's copy" + width, copy.doubles(), wantedDx, REAL_TOLERANCE);
  expect_near("rmsnorm_backward's dgain" + width, dgain.doubles(), wantedGain, FLOAT_TOLERANCE);
}

inline void rows_move(int d) {
  Reals table = Reals::normal((size_t)10 * d);
  Ints ids = Ints::of({3, 9, 3, 0});
  Floats x(4 * d);
  std::string width = " of width " + std::to_string(d);
  launch("embed", {4}, row_threads(d), 0, x.data(), table.data(), ids.data(), d);
  Doubles wanted(4 * d), gathered(2 * d);
  for (int row = 0; row < 4; row++) {
    for (int i = 0; i < d; i++) wanted[row * d + i] = table.get(ids[row] * d + i);
  }
  expect_near("embed" + width, x.doubles(), wanted, 0);
  Ints order = Ints::of({3, 0, 2, 1}), starts = Ints::of({0, 1, 3, 4}), distinct = Ints::of({0, 3, 9});
  Floats gradient = Floats::normal((size_t)10 * d);
  Doubles sums = gradient.doubles();
  for (int row = 0; row < 4; row++) {
    for (int i = 0; i < d; i++) sums[ids[row] * d + i] += wanted[row * d + i];
  }
  launch("embed_backward", {3}, row_threads(d), 0, gradient.data(), x.data(), order.data(),
         starts.data(), distinct.data(), d);
  expect_near("embed_backward" + width, gradient.doubles(), sums, FLOAT_TOLERANCE);
  Ints index = Ints::of({1, 3});
  Floats some(2 * d), back = Floats::of(std::vector<float>(4 * d, 0.f));
  Reals copy(4 * d);
  memset(copy.data(), 0, 4 * d * sizeof(Stored));
  launch("gather_rows", {2}, row_threads(d), 0, some.data(), x.data(), index.data(), d);
  for (int i = 0; i < d; i++) {
    gathered[i] = wanted[d + i], gathered[d + i] = wanted[3 * d + i];
    wanted[i] = wanted[2 * d + i] = 0;
  }
  launch("scatter_rows", {2}, row_threads(d), 0, back.data(), copy.data(), some.data(),
         index.data(), d);
  expect_near("gather_rows" + width, some.doubles(), gathered, 0);
  expect_near("scatter_rows" + width, back.doubles(), wanted, 0);
  expect_near("scatter_rows' copy" + width, copy.doubles(), wanted, 0);
}

inline void swiglu_equals_double(int n, int f) {
  Reals gateUp = Reals::normal((size_t)n * 2 * f, 2), dh = Reals::normal((size_t)n * f);
  Reals h(n * f), again(n * f);
  Doubles wanted(n * f), wantedGradient(2 * n * f);
  for (int row = 0; row < n; row++) {
    for (int i = 0; i < f; i++) {
      double gate = gateUp.get(2 * row * f + i), up = gateUp.get(2 * row * f + f + i);
      double s = 1 / (1 + std::exp(-gate)), g = dh.get(row * f + i);
      wanted[row * f + i] = gate * s * up;
      wantedGradient[2 * row * f + i] = g * up * (s + gate * s * (1 - s));
      wantedGradient[2 * row * f + f + i] = g * gate * s;
    }
  }
  unsigned threads = std::min(256u, row_threads(f));
  Grid grid = {(unsigned)n, ceil_div(ceil_div(f, 8), threads)};
  std::string width = " of width " + std::to_string(f);
  launch("swiglu", grid, threads, 0, h.data(), gateUp.data(), f);
  launch("swiglu_backward", grid, threads, 0, gateUp.data(), again.data(), dh.data(),
         gateUp.data(), f);
  expect_near("swiglu" + width, h.doubles(), wanted, REAL_TOLERANCE);
  expect_near("swiglu_backward's h" + width, again.doubles(), wanted, REAL_TOLERANCE);
  expect_near("swiglu_backward in place" + width, gateUp.doubles(), wantedGradient, REAL_TOLERANCE);
}

/** cos and sin of positions, [positions, D]. */
inline Floats angles(int positions, int D) {
  Floats table(positions * D);
  for (int t = 0; t < positions; t++) {
    for (int i = 0; i < D / 2; i++) {
      double angle = t * std::pow(10000.0, -2.0 * i / D);
      table.set(t * D + i, std::cos(angle));
      table.set(t * D + D / 2 + i, std::sin(angle));
    }
  }
  return table;
}

inline void rope_equals_double(int D) {
  int n = 10, seq = 5, H = 3, G = 1, first = 2, row = (H + 2 * G) * D;
  Reals qkv = Reals::normal((size_t)n * row);
  Floats table = angles(seq + first, D);
  Doubles start = qkv.doubles(), wanted = start;
  for (int r = 0; r < n; r++) {
    for (int head = 0; head < H + G; head++) {
      for (int i = 0; i < D / 2; i++) {
        int a = r * row + head * D + i, b = a + D / 2, t = first + r % seq;
        double c = table[t * D + i], s = table[t * D + D / 2 + i];
        wanted[a] = start[a] * c - start[b] * s;
        wanted[b] = start[b] * c + start[a] * s;
      }
    }
  }
  Grid grid = {ceil_div((long long)n * (H + G) * ceil_div(D / 2, 8), 256)};
  std::string width = " of width " + std::to_string(D);
  launch("rope", grid, 256, 0, qkv.data(), table.data(), n, seq, H, G, D, first, 0);
  expect_near("rope" + width, qkv.doubles(), wanted, REAL_TOLERANCE);
  launch("rope", grid, 256, 0, qkv.data(), table.data(), n, seq, H, G, D, first, 1);
  expect_near("rope and back" + width, qkv.doubles(), start, REAL_TOLERANCE);
}

inline void cross_entropy_equals_double(int V) {
  int rows = 4, stride = (V + 7) / 8 * 8;
  Reals logits = Reals::normal((size_t)rows * stride, 3);
  Ints targets = Ints::of({V - 1, -1, 0, V / 2}), greedy(rows);
  Floats loss(rows), logProbability(rows);
  float scale = 0.25f;
  // The second row's target has the highest logit.
  logits.set(2 * stride, 40);
  Doubles x = logits.doubles(), wantedLoss(rows), wantedGradient(rows * stride);
  for (int row = 0; row < rows; row++) {
    if (targets[row] < 0) continue;
    double total = 0;
    for (int i = 0; i < V; i++) total += std::exp(x[row * stride + i]);
    wantedLoss[row] = std::log(total) - x[row * stride + targets[row]];
    for (int i = 0; i < V; i++) {
      double p = std::exp(x[row * stride + i]) / total;
      wantedGradient[row * stride + i] = scale * (p - (i == targets[row]));
    }
  }
  unsigned threads = V < 8192 ? 256 : 1024;
  std::string name = " of " + std::to_string(V) + " logits";
  launch("score_rows", {(unsigned)rows}, threads, 0, logProbability.data(), greedy.data(),
         logits.data(), targets.data(), V, stride);
  launch("cross_entropy", {(unsigned)rows}, threads, 0, logits.data(), loss.data(), targets.data(),
         V, stride, scale);
  expect_near("cross_entropy's loss" + name, loss.doubles(), wantedLoss, FLOAT_TOLERANCE);
  expect_near("cross_entropy's gradient" + name, logits.doubles(), wantedGradient, REAL_TOLERANCE);
  for (double& x : wantedLoss) x = -x;
  expect_near("score_rows" + name, logProbability.doubles(), wantedLoss, FLOAT_TOLERANCE);
  Doubles got = {(double)greedy[0], (double)greedy[1], (double)greedy[2], (double)greedy[3]};
  expect_near("score_rows' greedy" + name, got, {0, 0, 1, 0}, 0);
}

inline void penalized_cross_entropy_equals_double(int V, float smoothing, float z_loss) {
  int rows = 3, stride = (V + 7) / 8 * 8;
  Reals logits = Reals::normal((size_t)rows * stride, 3, 1);
  Ints targets = Ints::of({V - 1, -1, 0});
  Floats loss(rows), penalty(rows);
  float scale = 0.25f;
  Doubles x = logits.doubles(), wantedLoss(rows), wantedPenalty(rows), wantedGradient(rows * stride);
  for (int row = 0; row < rows; row++) {
    if (targets[row] < 0) continue;
    const double* logit = &x[row * stride];
    double total = 0, sum = 0;
    for (int i = 0; i < V; i++) total += std::exp(logit[i]), sum += logit[i];
    double logZ = std::log(total), at = logit[targets[row]];
    wantedLoss[row] = logZ - at;
    wantedPenalty[row] = smoothing * (at - sum / V) + z_loss * logZ * logZ;
    for (int i = 0; i < V; i++) {
      double p = std::exp(logit[i]) / total * (1 + 2 * z_loss * logZ);
      wantedGradient[row * stride + i] = scale * (p - smoothing / V - (1 - smoothing) * (i == targets[row]));
    }
  }
  launch("cross_entropy_penalized", {(unsigned)rows}, V < 8192 ? 256 : 1024, 0, logits.data(), loss.data(),
         penalty.data(), targets.data(), V, stride, scale, smoothing, z_loss);
  std::string name = " of " + std::to_string(V) + " logits";
  expect_near("cross_entropy_penalized's loss" + name, loss.doubles(), wantedLoss, FLOAT_TOLERANCE);
  expect_near("cross_entropy_penalized's penalty" + name, penalty.doubles(), wantedPenalty, 2 * FLOAT_TOLERANCE);
  expect_near("cross_entropy_penalized's gradient" + name, logits.doubles(), wantedGradient, REAL_TOLERANCE);
}

/** The share of zeros, the scale of the rest, and that all three kernels drop the same. */
inline void drop_keeps_means(int d) {
  int n = 12, seq = 4;
  double rate = 0.25;
  Array<long long> keys = Array<long long>::of({17, -5, 1LL << 60});
  Reals x((size_t)n * d), y((size_t)n * d), sum = Reals::normal((size_t)n * d);
  Floats stream((size_t)n * d);
  for (int i = 0; i < n * d; i++) x.set(i, 3), stream[i] = 3;
  Doubles added = sum.doubles();
  int threshold = (int)(rate * (1 << 24));
  float scale = (float)(1 / (1 - rate));
  unsigned threads = row_threads(d), blocks = n;
  launch("drop", {blocks}, threads, 0, y.data(), x.data(), keys.data(), 6, seq, d, threshold, scale);
  launch("drop_add", {blocks}, threads, 0, sum.data(), x.data(), keys.data(), 6, seq, d, threshold, scale);
  launch("drop_stream", {blocks}, threads, 0, stream.data(), keys.data(), 6, seq, d, threshold, scale);
  Doubles wanted(n * d);
  int zeros = 0, equal_to_row_above = 0;
  for (int i = 0; i < n * d; i++) {
    bool zero = y.get(i) == 0;
    zeros += zero;
    equal_to_row_above += i >= d && zero == (y.get(i - d) == 0);
    wanted[i] = zero ? 0 : 4;
    added[i] += wanted[i];
  }
  std::string name = " of width " + std::to_string(d);
  expect_near("drop" + name, y.doubles(), wanted, REAL_TOLERANCE);
  expect_near("drop_add" + name, sum.doubles(), added, REAL_TOLERANCE);
  expect_near("drop_stream" + name, stream.doubles(), wanted, 0);
  // Four deviations of that many coins.
  double deviation = 4 * std::sqrt(rate * (1 - rate) / (n * d));
  expect_near("share of zeros" + name, {(double)zeros / (n * d)}, {rate}, deviation / rate);
  double same = rate * rate + (1 - rate) * (1 - rate);
  expect_near("rows' likeness" + name, {(double)equal_to_row_above / ((n - 1) * d)}, {same}, 4 / std::sqrt(n * d));
}

inline void flat_kernels_equal_double() {
  int n = 2048 + 13;
  Floats x = Floats::normal(n), z = Floats::normal(n);
  Reals copy(n), copy2(n), more = Reals::normal(n);
  Array<double> total(1), partial(3);
  Floats clip(2);
  unsigned blocks = ceil_div(n, 2048);
  Doubles wantedZ = z.doubles();
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) {
    wantedZ[i] += more.get(i);
    sum += x[i];
    squares += (double)x[i] * x[i];
  }
  launch("to_real", {blocks}, 256, 0, copy.data(), x.data(), (long long)n);
  launch("accumulate_real", {blocks}, 256, 0, z.data(), copy2.data(), more.data(), (long long)n);
  launch("sum_all", {1}, 256, 0, total.data(), x.data(), n, 0);
  launch("sum_squares", {3}, 256, 0, partial.data(), x.data(), (long long)n);
  launch("clip_factor", {1}, 256, 0, clip.data(), partial.data(), 3, 2.f);
  expect_near("to_real", copy.doubles(), x.doubles(), REAL_TOLERANCE);
  expect_near("accumulate_real", z.doubles(), wantedZ, FLOAT_TOLERANCE);
  expect_near("accumulate_real's copy", copy2.doubles(), wantedZ, REAL_TOLERANCE);
  expect_near("sum_all", total.doubles(), {sum}, FLOAT_TOLERANCE);
  expect_near("sum_squares and clip_factor", clip.doubles(),
              {2 / std::sqrt(squares), std::sqrt(squares)}, FLOAT_TOLERANCE);
  launch("clip_factor", {1}, 256, 0, clip.data(), partial.data(), 3, 1000.f);
  expect_near("clip_factor below the bound", clip.doubles(), {1, std::sqrt(squares)}, FLOAT_TOLERANCE);
}

inline void adamw_equals_double() {
  int n = 2048 + 300;
  Floats p = Floats::normal(n), m = Floats::normal(n), g = Floats::normal(n), v = Floats::normal(n);
  for (int i = 0; i < n; i++) v[i] = v[i] * v[i];
  Reals copy(n);
  // Ranges end inside packs, within a block and behind its start.
  Array<long long> ends = Array<long long>::of({5, 13, 1000, 2051, n});
  Floats decays = Floats::of({0, 0.1f, 0, 0.1f, 0.3f}), clip = Floats::of({0.5f, 1});
  float rate = 0.02f, root = 1.3f, b1 = 0.9f, b2 = 0.95f, epsilon = 1e-8f, decayRate = 0.2f;
  Doubles wanted = p.doubles(), first = m.doubles(), second = v.doubles();
  for (int i = 0, range = 0; i < n; i++) {
    if (i == ends[range]) range++;
    double gradient = g[i] * 0.5;
    first[i] = first[i] * b1 + (1.0 - b1) * gradient;
    second[i] = second[i] * b2 + (1.0 - b2) * gradient * gradient;
    wanted[i] -= rate * first[i] / (std::sqrt(second[i]) * root + epsilon) +
                 decayRate * decays[range] * wanted[i];
  }
  launch("adamw", {ceil_div(n, 2048)}, 256, 0, p.data(), m.data(), v.data(), g.data(), copy.data(),
         clip.data(), ends.data(), decays.data(), 5, (long long)n, rate, root, b1, 1 - b1, b2,
         1 - b2, epsilon, decayRate);
  expect_near("adamw's parameters", p.doubles(), wanted, FLOAT_TOLERANCE);
  expect_near("adamw's first moments", m.doubles(), first, FLOAT_TOLERANCE);
  expect_near("adamw's second moments", v.doubles(), second, FLOAT_TOLERANCE);
  expect_near("adamw's copy", copy.doubles(), wanted, REAL_TOLERANCE);
}

/** Lion and gradient descent, with a range that stays as it is, and a norm that is not finite. */
inline void other_updates_equal_double() {
  int n = 2048 + 300;
  Array<long long> ends = Array<long long>::of({5, 1000, n});
  Floats decays = Floats::of({0.1f, -1, 0.3f}), clip = Floats::of({0.5f, 1});
  float rate = 0.02f, b1 = 0.9f, b2 = 0.99f;
  for (std::string kernel : {"lion", "sgd", "sgd without momentum"}) {
    Floats p = Floats::normal(n), m = Floats::normal(n), g = Floats::normal(n);
    Reals copy(n);
    Doubles wanted = p.doubles(), momentum = m.doubles();
    for (int i = 0; i < n; i++) {
      double gradient = g[i] * 0.5, decay = i < 5 ? 0.1 : i < 1000 ? -1 : 0.3, step;
      if (kernel == "lion") {
        double direction = momentum[i] * b1 + gradient * (1.0 - b1);
        step = direction > 0 ? rate : -rate;
        momentum[i] = momentum[i] * b2 + gradient * (1.0 - b2);
      } else {
        if (kernel == "sgd") gradient = momentum[i] = momentum[i] * b1 + gradient;
        step = rate * gradient;
      }
      if (decay >= 0) wanted[i] -= step + rate * decay * wanted[i];
    }
    // The second launch's norm is not finite: it moves nothing.
    for (float norm : {1.f, __uint_as_float(0x7fc00000u), __uint_as_float(0x7f800000u)}) {
      clip[1] = norm;
      if (kernel == "lion") {
        launch("lion", {ceil_div(n, 2048)}, 256, 0, p.data(), m.data(), g.data(), copy.data(), clip.data(),
               ends.data(), decays.data(), 3, (long long)n, rate, b1, 1 - b1, b2, 1 - b2, rate);
      } else {
        launch("sgd", {ceil_div(n, 2048)}, 256, 0, p.data(), kernel == "sgd" ? m.data() : (float*)nullptr, g.data(),
               copy.data(), clip.data(), ends.data(), decays.data(), 3, (long long)n, rate, b1, rate);
      }
    }
    expect_near(kernel + "'s parameters", p.doubles(), wanted, FLOAT_TOLERANCE);
    expect_near(kernel + "'s momentum", m.doubles(), momentum, FLOAT_TOLERANCE);
    expect_near(kernel + "'s copy", copy.doubles(), wanted, REAL_TOLERANCE);
  }
}
