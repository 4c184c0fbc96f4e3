package caravan.model.engine;

import caravan.model.ParameterLayout.Tensor;
import java.util.Optional;

/**
 * The blocks' products with weights, each worker's share of them, with what adapters add where the
 * matrices are frozen.
 */
final class Projections {
  /** Null where there are none. */
  private final Adapters adapters;

  /**
   * @param adapters beside the matrices, where these are frozen
   */
  Projections(Optional<Adapters> adapters) {
    this.adapters = adapters.orElse(null);
  }

  /** Rows of y = x Wᵀ (+ y when {@code beta} is 1), and what adapters add. */
  void forward(
      Worker worker,
      Weights weights,
      Activations a,
      Tensor w,
      Buffer x,
      float beta,
      Buffer y,
      int from,
      int to) {
    Linear.forward(worker.gemm, x, weights, w, beta, y, from, to);
    if (adapters != null) {
      adapters.forward(worker, weights, a.dropping, w, x, y, from, to);
    }
  }

  /** Rows of dx = dy W, with what came through adapters. */
  void inputGradient(
      Worker worker,
      Weights weights,
      Activations a,
      Tensor w,
      Buffer dy,
      Buffer dx,
      int from,
      int to) {
    Linear.inputGradient(worker.gemm, dy, weights, w, dx, from, to);
    if (adapters != null) {
      adapters.inputGradient(worker, weights, a.dropping, w, dy, dx, from, to);
    }
  }

  /** This worker's share of dW, or of the adapters' gradients where W is frozen. */
  void weightGradient(
      Worker worker, Weights gradient, Activations a, Tensor w, Buffer dy, Buffer x, int tokens) {
    if (gradient.has(w)) {
      Linear.weightGradient(worker, dy, x, gradient, w, tokens);
    }
    if (adapters != null) {
      adapters.weightGradient(worker, gradient, a.dropping, w, dy, x, tokens);
    }
  }

  /** Rows of a factor of the next products, where these are in bf16. */
  void round(Worker worker, Buffer factor, int width, int from, int to) {
    worker.gemm.round(factor, (long) from * width, (long) to * width);
  }
}
