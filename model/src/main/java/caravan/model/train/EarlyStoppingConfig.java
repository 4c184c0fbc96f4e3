package caravan.model.train;

import static caravan.model.train.Ranges.atLeast;

import java.io.Serializable;

/**
 * When training ends before its last step.
 *
 * @param patience measurements of the held-out loss in a row without improvement after which it
 *     ends; 0 for never
 * @param minDelta nats by which a loss must lie below the least one before to be an improvement
 */
public record EarlyStoppingConfig(int patience, double minDelta) implements Serializable {
  public static final EarlyStoppingConfig NEVER = new EarlyStoppingConfig(0, 0);

  public EarlyStoppingConfig {
    atLeast("early-stopping.patience", patience, 0);
    atLeast("early-stopping.min-delta", minDelta, 0);
  }
}
