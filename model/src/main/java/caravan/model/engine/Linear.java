package caravan.model.engine;

import caravan.model.ParameterLayout.Tensor;

/**
 * A projection y[tokens, out] = x[tokens, in] · W[out, in]ᵀ and its two gradients; in bf16 where
 * the factor that comes from the tokens has been rounded; W may be packed where it is frozen.
 */
final class Linear {
  private Linear() {}

  /** Rows [from, to) of y = x Wᵀ (+ y when {@code beta} is 1). */
  static void forward(
      Gemm gemm, Buffer x, Weights weights, Tensor w, float beta, Buffer y, int from, int to) {
    forward(
        gemm,
        to - from,
        x,
        (long) from * w.cols(),
        weights,
        w,
        beta,
        y,
        (long) from * w.rows(),
        w.rows());
  }

  /**
   * {@code rows} rows of y = x Wᵀ (+ y when {@code beta} is 1).
   *
   * @param xAt first float of x
   * @param yAt first float of y, whose rows lie {@code yStride} apart
   */
  static void forward(
      Gemm gemm,
      int rows,
      Buffer x,
      long xAt,
      Weights weights,
      Tensor w,
      float beta,
      Buffer y,
      long yAt,
      int yStride) {
    int in = w.cols();
    int out = w.rows();
    if (weights.packed(w) != null) {
      gemm.packed().timesTransposed(rows, x, xAt, weights.packed(w), beta, y, yAt, yStride);
    } else if (x.hasHalves()) {
      gemm.halves()
          .timesTransposed(
              rows,
              out,
              in,
              x.halfAddress(xAt),
              in,
              weights.halfAddress(w),
              in,
              beta != 0,
              y.address(yAt),
              yStride);
    } else {
      gemm.timesTransposed(
          rows,
          out,
          in,
          1f,
          x.address(xAt),
          in,
          weights.address(w),
          in,
          beta,
          y.address(yAt),
          yStride);
    }
  }

  /** Rows [from, to) of dx = dy W. */
  static void inputGradient(
      Gemm gemm, Buffer dy, Weights weights, Tensor w, Buffer dx, int from, int to) {
    inputGradient(
        gemm,
        to - from,
        dy,
        (long) from * w.rows(),
        w.rows(),
        weights,
        w,
        dx,
        (long) from * w.cols());
  }

  /**
   * {@code rows} rows of dx = dy W.
   *
   * @param dyAt first float of dy, whose rows lie {@code dyStride} apart
   * @param dxAt first float of dx
   */
  static void inputGradient(
      Gemm gemm,
      int rows,
      Buffer dy,
      long dyAt,
      int dyStride,
      Weights weights,
      Tensor w,
      Buffer dx,
      long dxAt) {
    int in = w.cols();
    int out = w.rows();
    if (weights.packed(w) != null) {
      gemm.packed().times(rows, dy, dyAt, dyStride, weights.packed(w), dx, dxAt);
    } else if (dy.hasHalves()) {
      gemm.halves()
          .times(
              rows,
              in,
              out,
              dy.halfAddress(dyAt),
              dyStride,
              weights.halfAddress(w),
              in,
              false,
              dx.address(dxAt),
              in);
    } else {
      gemm.times(
          rows,
          in,
          out,
          1f,
          dy.address(dyAt),
          dyStride,
          weights.address(w),
          in,
          0f,
          dx.address(dxAt),
          in);
    }
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
