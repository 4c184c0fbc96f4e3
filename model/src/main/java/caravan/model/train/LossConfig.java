package caravan.model.train;

import static caravan.model.train.Ranges.atLeast;
import static caravan.model.train.Ranges.below;

import java.io.Serializable;

/**
 * What is optimized beside plain cross entropy.
 *
 * @param zLoss coefficient of the squared logarithm of softmax's denominator
 * @param labelSmoothing share of the target that is spread over the whole vocabulary
 */
public record LossConfig(double zLoss, double labelSmoothing) implements Serializable {
  public static final LossConfig DEFAULT = new LossConfig(0, 0);

  public LossConfig {
    atLeast("loss.z-loss", zLoss, 0);
    below("loss.label-smoothing", labelSmoothing);
  }

  boolean isPlain() {
    return zLoss == 0 && labelSmoothing == 0;
  }
}
