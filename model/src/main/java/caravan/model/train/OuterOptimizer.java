package caravan.model.train;

import java.io.Serializable;
import java.util.Optional;

/**
 * DiLoCo's outer step (Douillard et al., arXiv 2311.08105, algorithm 1) with Nesterov momentum:
 * from a round's start θ₀ and the workers' mean θ̄ it takes g = θ₀ − θ̄ for a gradient, v' = μ·v +
 * g, and θ' = θ₀ − η·(g + μ·v').
 *
 * <p>With θ₀ = θ̄ + g that is θ' = θ̄ + (1 − η)·g − η·μ·v', and so it is computed: for η = 1 and μ
 * = 0 both terms vanish and the next parameters are the mean to the bit, which θ₀ − (θ₀ − θ̄) is
 * not.
 */
record OuterOptimizer(float learningRate, float momentum) implements Serializable {
  /** The setting's optimizer; none where the mean itself is the next state. */
  static Optional<OuterOptimizer> of(OuterConfig outer) {
    return outer.kind().equals("nesterov")
        ? Optional.of(new OuterOptimizer((float) outer.learningRate(), (float) outer.momentum()))
        : Optional.empty();
  }

  /**
   * One step.
   *
   * @param start θ₀
   * @param mean θ̄; becomes θ'
   * @param velocity v; becomes v'
   */
  void step(float[] start, float[] mean, float[] velocity) {
    for (int i = 0; i < mean.length; i++) {
      float gradient = start[i] - mean[i];
      velocity[i] = velocity(gradient, velocity[i]);
      mean[i] = next(mean[i], gradient, velocity[i]);
    }
  }

  /** One step of slices: byte arrays of floats. */
  void step(byte[] start, byte[] mean, byte[] velocity) {
    for (int at = 0; at < mean.length; at += Float.BYTES) {
      float average = SliceArithmetic.get(mean, at);
      float gradient = SliceArithmetic.get(start, at) - average;
      float v = velocity(gradient, SliceArithmetic.get(velocity, at));
      SliceArithmetic.put(velocity, at, v);
      SliceArithmetic.put(mean, at, next(average, gradient, v));
    }
  }

  private float velocity(float gradient, float velocity) {
    return momentum * velocity + gradient;
  }

  private float next(float mean, float gradient, float velocity) {
    return mean + (1 - learningRate) * gradient - learningRate * momentum * velocity;
  }
}
