package caravan.model.engine;

import caravan.model.ParameterLayout.Tensor;

/**
 * A projection y[tokens, out] = x[tokens, in] · W[out, in]ᵀ and its two gradients; in bf16 where
 * the factor that comes from the tokens has been rounded.
 */
final class Linear {
  private Linear() {}

  /** Rows [from, to) of y = x Wᵀ (+ y when {@code beta} is 1). */
  static void forward(
      Gemm gemm, Buffer x, Weights weights, Tensor w, float beta, Buffer y, int from, int to) {
    if (x.hasHalves()) {
      gemm.halves()
          .timesTransposed(
              to - from,
              w.rows(),
              w.cols(),
              x.halfAddress((long) from * w.cols()),
              w.cols(),
              weights.halfAddress(w),
              w.cols(),
              beta != 0,
              y.address((long) from * w.rows()),
              w.rows());
      return;
    }
    gemm.timesTransposed(
        to - from,
        w.rows(),
        w.cols(),
        1f,
        x.address((long) from * w.cols()),
        w.cols(),
        weights.address(w),
        w.cols(),
        beta,
        y.address((long) from * w.rows()),
        w.rows());
  }

  /** Rows [from, to) of dx = dy W. */
  static void inputGradient(
      Gemm gemm, Buffer dy, Weights weights, Tensor w, Buffer dx, int from, int to) {
    if (dy.hasHalves()) {
      gemm.halves()
          .times(
              to - from,
              w.cols(),
              w.rows(),
              dy.halfAddress((long) from * w.rows()),
              w.rows(),
              weights.halfAddress(w),
              w.cols(),
              dx.address((long) from * w.cols()),
              w.cols());
      return;
    }
    gemm.times(
        to - from,
        w.cols(),
        w.rows(),
        1f,
        dy.address((long) from * w.rows()),
        w.rows(),
        weights.address(w),
        w.cols(),
        0f,
        dx.address((long) from * w.cols()),
        w.cols());
  }

  /** The worker's share of rows of dW = dyᵀ x, over all {@code tokens}. */
  static void weightGradient(
      Worker worker, Buffer dy, Buffer x, Weights gradient, Tensor w, int tokens) {
    int from = worker.from(w.rows());
    int to = worker.to(w.rows());
    if (dy.hasHalves()) {
      worker
          .gemm
          .halves()
          .transposedTimes(
              to - from,
              w.cols(),
              tokens,
              dy.halfAddress(from),
              w.rows(),
              x.halfAddress(0),
              w.cols(),
              gradient.beta != 0,
              gradient.row(w, from),
              w.cols());
      return;
    }
    worker.gemm.transposedTimes(
        to - from,
        w.cols(),
        tokens,
        1f,
        dy.address(from),
        w.rows(),
        x.address(0),
        w.cols(),
        gradient.beta,
        gradient.row(w, from),
        w.cols());
  }
}
