package caravan.model.train;

import java.util.Objects;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.shade.jackson.annotation.JsonAutoDetect;
import org.nd4j.shade.jackson.annotation.JsonProperty;

/**
 * Learning rate per step: linear warmup, then constant, linear or cosine decay to a floor (cosine:
 * Loshchilov and Hutter, arXiv 1608.03983). Step s, counted from 0, of the warmup has rate peak ·
 * (s + 1) / warmupSteps; the last step of training is the first whose successor would be at the
 * floor.
 */
@JsonAutoDetect(
    fieldVisibility = JsonAutoDetect.Visibility.ANY,
    getterVisibility = JsonAutoDetect.Visibility.NONE)
public final class Schedule implements ISchedule {
  private static final long serialVersionUID = 1;

  /** Shape of the decay after the warmup. */
  public enum Kind {
    CONSTANT,
    LINEAR,
    COSINE
  }

  private final Kind kind;
  private final double peak;
  private final double floor;
  private final int warmupSteps;
  private final int steps;

  /**
   * @param peak learning rate after the warmup
   * @param floor learning rate at and after {@code steps}
   * @param warmupSteps length of the warmup, 0 for none
   * @param steps length of the whole training
   */
  public Schedule(
      @JsonProperty("kind") Kind kind,
      @JsonProperty("peak") double peak,
      @JsonProperty("floor") double floor,
      @JsonProperty("warmupSteps") int warmupSteps,
      @JsonProperty("steps") int steps) {
    this.kind = kind;
    this.peak = peak;
    this.floor = floor;
    this.warmupSteps = warmupSteps;
    this.steps = steps;
  }

  /** Rate of a step; {@code epoch} plays no part. */
  @Override
  public double valueAt(int step, int epoch) {
    if (step < warmupSteps) {
      return peak * (step + 1) / warmupSteps;
    }
    if (kind == Kind.CONSTANT) {
      return peak;
    }
    double progress = Math.min(1, (step - warmupSteps) / (double) Math.max(1, steps - warmupSteps));
    double remaining =
        kind == Kind.LINEAR ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
    return floor + (peak - floor) * remaining;
  }

  @Override
  public ISchedule clone() {
    return new Schedule(kind, peak, floor, warmupSteps, steps);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Schedule that
        && kind == that.kind
        && peak == that.peak
        && floor == that.floor
        && warmupSteps == that.warmupSteps
        && steps == that.steps;
  }

  @Override
  public int hashCode() {
    return Objects.hash(kind, peak, floor, warmupSteps, steps);
  }
}
