package caravan.model.train;

import caravan.model.engine.FlatLoops;
import caravan.model.engine.ResidentTraining;
import java.util.Objects;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.shade.jackson.annotation.JsonProperty;

/**
 * Stochastic gradient descent with heavy-ball momentum as PyTorch computes it (no dampening): b =
 * μ·b + g, of which the learning rate is taken. Its state is [b], or nothing where μ is 0. Weight
 * decay is decoupled here too.
 */
public final class MomentumSgd extends FlatOptimizer {
  private static final long serialVersionUID = 1;

  private final double momentum;

  /**
   * @param schedule learning rate per step
   * @param momentum μ, in [0, 1)
   * @param clipNorm gradients of a larger global norm are scaled down to it; 0 for no clipping
   * @param turns which parameters a step moves
   */
  public MomentumSgd(
      @JsonProperty("schedule") ISchedule schedule,
      @JsonProperty("momentum") double momentum,
      @JsonProperty("clipNorm") double clipNorm,
      @JsonProperty("turns") Turns turns) {
    super(schedule, clipNorm, turns);
    this.momentum = momentum;
  }

  @Override
  int stateVectors() {
    return momentum > 0 ? 1 : 0;
  }

  @Override
  MomentumSgd copy() {
    return new MomentumSgd(schedule().clone(), momentum, clipNorm(), turns());
  }

  @Override
  ResidentTraining.Optimizer onDevice() {
    return ResidentTraining.Optimizer.sgd(momentum, clipNorm());
  }

  @Override
  FlatUpdater<MomentumSgd> updater() {
    return new Updater(this);
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other) && other instanceof MomentumSgd that && momentum == that.momentum;
  }

  @Override
  public int hashCode() {
    return Objects.hash(super.hashCode(), momentum);
  }

  private static final class Updater extends FlatUpdater<MomentumSgd> {
    Updater(MomentumSgd config) {
      super(config);
    }

    @Override
    void update(long g, long state, long stride, int count, Pass pass) {
      float rate = (float) pass.rate();
      float momentum = (float) getConfig().momentum;
      for (int i = 0; i < count; i++) {
        long at = (long) i * Float.BYTES;
        float step = FlatLoops.get(g + at) * pass.scale();
        if (momentum > 0) {
          step += momentum * FlatLoops.get(state + at);
          FlatLoops.set(state + at, step);
        }
        FlatLoops.set(g + at, rate * step);
      }
    }
  }
}
