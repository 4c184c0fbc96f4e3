package caravan.model.train;

import static caravan.model.train.Ranges.atLeast;
import static caravan.model.train.Ranges.below;
import static caravan.model.train.Ranges.choice;

import java.io.Serializable;

/**
 * The outer optimizer, which takes one step per round.
 *
 * @param kind {@code average} or {@code nesterov}
 * @param learningRate of {@code nesterov}
 * @param momentum of {@code nesterov}
 */
public record OuterConfig(String kind, double learningRate, double momentum)
    implements Serializable {
  public static final OuterConfig DEFAULT = new OuterConfig("average", 0.7, 0.9);

  public OuterConfig {
    choice("outer.kind", kind, "average", "nesterov");
    atLeast("outer.learning-rate", learningRate, 0);
    below("outer.momentum", momentum);
  }
}
