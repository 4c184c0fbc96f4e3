package caravan.model.train;

import caravan.model.engine.ResidentTraining;
import java.util.Objects;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.shade.jackson.annotation.JsonCreator;
import org.nd4j.shade.jackson.annotation.JsonProperty;

/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101). Its state is [first moment | second moment]; of
 * {@link Turns}, each begins its bias correction anew.
 */
public final class AdamW extends FlatOptimizer {
  private static final long serialVersionUID = 1;

  private final double beta1;
  private final double beta2;
  private final double epsilon;

  /** AdamW of all parameters. */
  public AdamW(ISchedule schedule, double beta1, double beta2, double epsilon, double clipNorm) {
    this(schedule, beta1, beta2, epsilon, clipNorm, Turns.ALL);
  }

  /**
   * @param schedule learning rate per step
   * @param beta1 decay of the first moment, in [0, 1)
   * @param beta2 decay of the second moment, in [0, 1)
   * @param epsilon added to the root of the second moment
   * @param clipNorm gradients of a larger global norm are scaled down to it; 0 for no clipping
   * @param turns which parameters a step moves
   */
  @JsonCreator
  public AdamW(
      @JsonProperty("schedule") ISchedule schedule,
      @JsonProperty("beta1") double beta1,
      @JsonProperty("beta2") double beta2,
      @JsonProperty("epsilon") double epsilon,
      @JsonProperty("clipNorm") double clipNorm,
      @JsonProperty("turns") Turns turns) {
    super(schedule, clipNorm, turns);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
  }

  double beta1() {
    return beta1;
  }

  double beta2() {
    return beta2;
  }

  double epsilon() {
    return epsilon;
  }

  @Override
  int stateVectors() {
    return 2;
  }

  @Override
  AdamW copy() {
    return new AdamW(schedule().clone(), beta1, beta2, epsilon, clipNorm(), turns());
  }

  @Override
  ResidentTraining.Optimizer onDevice() {
    return ResidentTraining.Optimizer.adamW(beta1, beta2, epsilon, clipNorm());
  }

  @Override
  AdamWUpdater updater() {
    return new AdamWUpdater(this);
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other)
        && other instanceof AdamW that
        && beta1 == that.beta1
        && beta2 == that.beta2
        && epsilon == that.epsilon;
  }

  @Override
  public int hashCode() {
    return Objects.hash(super.hashCode(), beta1, beta2, epsilon);
  }
}
