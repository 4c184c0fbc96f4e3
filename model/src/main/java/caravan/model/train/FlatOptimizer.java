package caravan.model.train;

import caravan.model.ParameterRanges;
import caravan.model.WholeVectorUpdater;
import caravan.model.engine.ResidentTraining;
import java.util.Map;
import java.util.Objects;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.GradientUpdater;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.schedule.ISchedule;

/**
 * What our optimizers have in common: one Deeplearning4j updater over the whole flattened gradient,
 * with clipping by its global norm (Pascanu et al., arXiv 1211.5063) and {@link Turns}. The state
 * view is one vector after the other, each as long as the largest part that has its turn, so
 * averaging and checkpoints see all of it. The decoupled weight decay is Deeplearning4j's
 * post-updater step, for which the layer asks.
 */
public abstract class FlatOptimizer implements WholeVectorUpdater {
  private static final long serialVersionUID = 1;

  private ISchedule schedule;
  private final double clipNorm;
  private final Turns turns;

  /** Floats of state that this answers Deeplearning4j with; negative: as many as it asks for. */
  private transient long stateAtTensor = -1;

  /** The step before which the state was all zeros. */
  private transient int stateBegan;

  /**
   * @param schedule learning rate per step
   * @param clipNorm gradients of a larger global norm are scaled down to it; 0 for no clipping
   */
  FlatOptimizer(ISchedule schedule, double clipNorm, Turns turns) {
    this.schedule = schedule;
    this.clipNorm = clipNorm;
    this.turns = turns == null ? Turns.ALL : turns;
  }

  /** Vectors of state. */
  abstract int stateVectors();

  /** The same settings in another object. */
  abstract FlatOptimizer copy();

  abstract FlatUpdater<?> updater();

  /** The same rule for an engine that takes steps in memory of its own. */
  abstract ResidentTraining.Optimizer onDevice();

  /** Says that the state is all zeros before this step: the bias correction counts from there. */
  final void stateBegins(int iteration) {
    stateBegan = iteration;
  }

  final int stateBegan() {
    return stateBegan;
  }

  /** Steps that have shaped the state before this one. */
  final int stepsOfState(int iteration) {
    return Math.min(turns.stepsOfTurn(iteration), iteration - stateBegan);
  }

  final double clipNorm() {
    return clipNorm;
  }

  final Turns turns() {
    return turns;
  }

  final ISchedule schedule() {
    return schedule;
  }

  @Override
  public final ParameterRanges moved(int iteration) {
    return turns.at(iteration);
  }

  @Override
  public final IUpdater atTensor(boolean first, long parameters) {
    if (turns.equals(Turns.ALL)) {
      return this;
    }
    FlatOptimizer there = copy();
    there.stateAtTensor = first ? stateVectors() * turns.longest(parameters) : 0;
    return there;
  }

  @Override
  public final long stateSize(long parameters) {
    return stateAtTensor < 0 ? stateVectors() * turns.longest(parameters) : stateAtTensor;
  }

  @Override
  public final GradientUpdater<?> instantiate(INDArray view, boolean initialize) {
    FlatUpdater<?> updater = updater();
    if (stateVectors() > 0) {
      updater.setStateViewArray(view, null, 'c', initialize);
    }
    return updater;
  }

  @Override
  public final GradientUpdater<?> instantiate(Map<String, INDArray> state, boolean initialize) {
    throw FlatUpdater.flatOnly();
  }

  @Override
  public final double getLearningRate(int iteration, int epoch) {
    return schedule.valueAt(iteration, epoch);
  }

  @Override
  public final boolean hasLearningRate() {
    return true;
  }

  @Override
  public final void setLrAndSchedule(double learningRate, ISchedule newSchedule) {
    schedule =
        newSchedule != null
            ? newSchedule
            : new Schedule(Schedule.Kind.CONSTANT, learningRate, 0, 0, 1, 0);
  }

  @Override
  public final FlatOptimizer clone() {
    return copy();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FlatOptimizer that
        && getClass() == that.getClass()
        && schedule.equals(that.schedule)
        && clipNorm == that.clipNorm
        && turns.equals(that.turns);
  }

  @Override
  public int hashCode() {
    return Objects.hash(schedule, clipNorm, turns);
  }
}
