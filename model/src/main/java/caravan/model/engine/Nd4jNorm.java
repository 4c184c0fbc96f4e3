package caravan.model.engine;

import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.ops.transforms.Transforms;

/** {@link RmsNorm}'s formulas in ND4J operations; remembers one forward pass. */
final class Nd4jNorm {
  private final INDArray gain;
  private final double epsilon;
  private INDArray reciprocal;
  private INDArray scaled;

  /**
   * @param gain [1, hidden]
   */
  Nd4jNorm(INDArray gain, double epsilon) {
    this.gain = gain;
    this.epsilon = epsilon;
  }

  /** y = x · r · g with r = (mean(x²) + ε)^−½, row by row of [tokens, hidden]. */
  INDArray forward(INDArray x) {
    reciprocal = Transforms.pow(x.mul(x).mean(true, 1).addi(epsilon), -0.5);
    scaled = x.mulColumnVector(reciprocal);
    return scaled.mulRowVector(gain);
  }

  /** dx = r · (dy · g − x·r · mean(dy · g · x·r)); adds Σ dy · x·r to {@code dGain}. */
  INDArray backward(INDArray dy, INDArray dGain) {
    dGain.addi(dy.mul(scaled).sum(true, 0));
    INDArray direct = dy.mulRowVector(gain);
    INDArray mean = direct.mul(scaled).mean(true, 1);
    return direct.subi(scaled.mulColumnVector(mean)).muliColumnVector(reciprocal);
  }
}
