package caravan.model.train;

import caravan.model.engine.FlatLoops;
import caravan.model.engine.ResidentTraining;
import java.util.Objects;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.shade.jackson.annotation.JsonProperty;

/**
 * Lion (Chen et al., arXiv 2302.06675, algorithm 2): steps by the sign of a mean of gradient and
 * momentum, so every weight moves by the learning rate. Its state is [momentum].
 */
public final class Lion extends FlatOptimizer {
  private static final long serialVersionUID = 1;

  private final double beta1;
  private final double beta2;

  /**
   * @param schedule learning rate per step
   * @param beta1 share of the momentum in what the sign is taken of, in [0, 1)
   * @param beta2 decay of the momentum, in [0, 1)
   * @param clipNorm gradients of a larger global norm are scaled down to it; 0 for no clipping
   * @param turns which parameters a step moves
   */
  public Lion(
      @JsonProperty("schedule") ISchedule schedule,
      @JsonProperty("beta1") double beta1,
      @JsonProperty("beta2") double beta2,
      @JsonProperty("clipNorm") double clipNorm,
      @JsonProperty("turns") Turns turns) {
    super(schedule, clipNorm, turns);
    this.beta1 = beta1;
    this.beta2 = beta2;
  }

  @Override
  int stateVectors() {
    return 1;
  }

  @Override
  Lion copy() {
    return new Lion(schedule().clone(), beta1, beta2, clipNorm(), turns());
  }

  @Override
  ResidentTraining.Optimizer onDevice() {
    return ResidentTraining.Optimizer.lion(beta1, beta2, clipNorm());
  }

  @Override
  FlatUpdater<Lion> updater() {
    return new Updater(this);
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other)
        && other instanceof Lion that
        && beta1 == that.beta1
        && beta2 == that.beta2;
  }

  @Override
  public int hashCode() {
    return Objects.hash(super.hashCode(), beta1, beta2);
  }

  /** g' = rate · sign(β1·m + (1−β1)·g), m' = β2·m + (1−β2)·g. */
  private static final class Updater extends FlatUpdater<Lion> {
    Updater(Lion config) {
      super(config);
    }

    @Override
    void update(long g, long state, long stride, int count, Pass pass) {
      float rate = (float) pass.rate();
      float b1 = (float) getConfig().beta1;
      float b2 = (float) getConfig().beta2;
      float c1 = (float) (1 - getConfig().beta1);
      float c2 = (float) (1 - getConfig().beta2);
      for (int i = 0; i < count; i++) {
        long at = (long) i * Float.BYTES;
        float gradient = FlatLoops.get(g + at) * pass.scale();
        float momentum = FlatLoops.get(state + at);
        FlatLoops.set(g + at, rate * Math.signum(momentum * b1 + gradient * c1));
        FlatLoops.set(state + at, momentum * b2 + gradient * c2);
      }
    }
  }
}
