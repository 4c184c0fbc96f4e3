package caravan.model.train;

import java.util.Map;
import java.util.Objects;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.GradientUpdater;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.shade.jackson.annotation.JsonProperty;

/**
 * AdamW with clipping by global norm (Loshchilov and Hutter, arXiv 1711.05101; Pascanu et al.,
 * arXiv 1211.5063) as one DL4J updater over the whole flattened gradient. The state view is [first
 * moment | second moment], so averaging and checkpoints see both. The decoupled decay itself is
 * DL4J's post-updater weight decay, which the layer asks for on matrices only.
 */
public final class AdamW implements IUpdater {
  private static final long serialVersionUID = 1;

  private ISchedule schedule;
  private final double beta1;
  private final double beta2;
  private final double epsilon;
  private final double clipNorm;

  /**
   * @param schedule learning rate per step
   * @param beta1 decay of the first moment, in [0, 1)
   * @param beta2 decay of the second moment, in [0, 1)
   * @param epsilon added to the root of the second moment
   * @param clipNorm gradients of a larger global norm are scaled down to it; 0 for no clipping
   */
  public AdamW(
      @JsonProperty("schedule") ISchedule schedule,
      @JsonProperty("beta1") double beta1,
      @JsonProperty("beta2") double beta2,
      @JsonProperty("epsilon") double epsilon,
      @JsonProperty("clipNorm") double clipNorm) {
    this.schedule = schedule;
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.epsilon = epsilon;
    this.clipNorm = clipNorm;
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

  double clipNorm() {
    return clipNorm;
  }

  @Override
  public long stateSize(long parameters) {
    return 2 * parameters;
  }

  @Override
  public GradientUpdater<AdamW> instantiate(INDArray view, boolean initialize) {
    AdamWUpdater updater = new AdamWUpdater(this);
    updater.setStateViewArray(view, null, 'c', initialize);
    return updater;
  }

  @Override
  public GradientUpdater<AdamW> instantiate(Map<String, INDArray> state, boolean initialize) {
    throw new UnsupportedOperationException("AdamW works over DL4J's flattened state view only");
  }

  @Override
  public double getLearningRate(int iteration, int epoch) {
    return schedule.valueAt(iteration, epoch);
  }

  @Override
  public boolean hasLearningRate() {
    return true;
  }

  @Override
  public void setLrAndSchedule(double learningRate, ISchedule newSchedule) {
    schedule =
        newSchedule != null
            ? newSchedule
            : new Schedule(Schedule.Kind.CONSTANT, learningRate, 0, 0, 1, 0);
  }

  @Override
  public AdamW clone() {
    return new AdamW(schedule.clone(), beta1, beta2, epsilon, clipNorm);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof AdamW that
        && schedule.equals(that.schedule)
        && beta1 == that.beta1
        && beta2 == that.beta2
        && epsilon == that.epsilon
        && clipNorm == that.clipNorm;
  }

  @Override
  public int hashCode() {
    return Objects.hash(schedule, beta1, beta2, epsilon, clipNorm);
  }
}
