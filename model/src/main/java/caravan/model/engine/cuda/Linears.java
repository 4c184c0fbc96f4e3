package caravan.model.engine.cuda;

import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.cuda.Products.Shape;

/** A projection y[n, out] = x[n, in] · W[out, in]ᵀ and its two gradients. */
final class Linears {
  private final Products products;
  private final DeviceWeights weights;

  Linears(Products products, DeviceWeights weights) {
    this.products = products;
    this.weights = weights;
  }

  /** y = x Wᵀ, rows {@code strideY} elements apart. */
  void forward(String what, long x, Tensor w, long y, int n, int strideY) {
    Shape shape = new Shape(false, true, n, w.rows(), w.cols(), w.cols(), w.cols(), strideY, false);
    products.multiply(what, shape, 1, x, weights.matrix(w), false, y);
  }

  void forward(String what, long x, Tensor w, long y, int n) {
    forward(what, x, w, y, n, w.rows());
  }

  /** dx = dy W. */
  void inputGradient(String what, long dy, Tensor w, long dx, int n, int strideDy) {
    Shape shape =
        new Shape(false, false, n, w.cols(), w.rows(), strideDy, w.cols(), w.cols(), false);
    products.multiply(what, shape, 1, dy, weights.matrix(w), false, dx);
  }

  void inputGradient(String what, long dy, Tensor w, long dx, int n) {
    inputGradient(what, dy, w, dx, n, w.rows());
  }

  /** dW (+)= dyᵀ x, in fp32; nothing where W is frozen. */
  void weightGradient(
      String what, long dy, long x, Tensor w, int n, int strideDy, boolean accumulate) {
    if (weights.trains(w)) {
      Shape shape =
          new Shape(true, false, w.rows(), w.cols(), n, strideDy, w.cols(), w.cols(), true);
      products.multiply(what, shape, 1, dy, x, accumulate, weights.gradientOrNull(w));
    }
  }

  void weightGradient(String what, long dy, long x, Tensor w, int n, boolean accumulate) {
    weightGradient(what, dy, x, w, n, w.rows(), accumulate);
  }
}
