package caravan.model.engine.cuda;

import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.cuda.Products.Shape;

/** A projection y[n, out] = x[n, in] · W[out, in]ᵀ and its two gradients. */
final class Linears {
  private final Products products;
  private final DeviceParameters parameters;

  Linears(Products products, DeviceParameters parameters) {
    this.products = products;
    this.parameters = parameters;
  }

  /** y = x Wᵀ, rows {@code strideY} elements apart. */
  void forward(String what, long x, Tensor w, long y, int n, int strideY) {
    Shape shape = new Shape(false, true, n, w.rows(), w.cols(), w.cols(), w.cols(), strideY, false);
    products.multiply(what, shape, x, parameters.weights(w), 0f, y, y);
  }

  void forward(String what, long x, Tensor w, long y, int n) {
    forward(what, x, w, y, n, w.rows());
  }

  /** dx = dy W. */
  void inputGradient(String what, long dy, Tensor w, long dx, int n, int strideDy) {
    Shape shape =
        new Shape(false, false, n, w.cols(), w.rows(), strideDy, w.cols(), w.cols(), false);
    products.multiply(what, shape, dy, parameters.weights(w), 0f, dx, dx);
  }

  void inputGradient(String what, long dy, Tensor w, long dx, int n) {
    inputGradient(what, dy, w, dx, n, w.rows());
  }

  /** dW (+)= dyᵀ x, in fp32. */
  void weightGradient(
      String what, long dy, long x, Tensor w, int n, int strideDy, boolean accumulate) {
    Shape shape = new Shape(true, false, w.rows(), w.cols(), n, strideDy, w.cols(), w.cols(), true);
    long gradient = parameters.gradient(w);
    products.multiply(what, shape, dy, x, accumulate ? 1f : 0f, gradient, gradient);
  }

  void weightGradient(String what, long dy, long x, Tensor w, int n) {
    weightGradient(what, dy, x, w, n, w.rows(), false);
  }
}
