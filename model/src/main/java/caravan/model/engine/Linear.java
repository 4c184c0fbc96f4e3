package caravan.model.engine;

import caravan.model.ParameterLayout.Tensor;

/** A projection y[tokens, out] = x[tokens, in] · W[out, in]ᵀ and its two gradients. */
final class Linear {
  private Linear() {}

  /** Rows [from, to) of y = x Wᵀ (+ y when {@code beta} is 1). */
  static void forward(
      Gemm gemm, Buffer x, Weights weights, Tensor w, float beta, Buffer y, int from, int to) {
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
