package caravan.model.train;

import static caravan.model.train.Ranges.below;
import static caravan.model.train.Ranges.choice;

import java.io.Serializable;

/**
 * The rule of a step.
 *
 * @param kind {@code adamw}, {@code lion} or {@code sgd}
 * @param momentum of sgd; 0 for none
 */
public record OptimizerConfig(String kind, double momentum) implements Serializable {
  public static final OptimizerConfig DEFAULT = new OptimizerConfig("adamw", 0.9);

  public OptimizerConfig {
    choice("optimizer.kind", kind, "adamw", "lion", "sgd");
    below("optimizer.momentum", momentum);
  }
}
