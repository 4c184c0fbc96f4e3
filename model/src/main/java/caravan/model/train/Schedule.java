package caravan.model.train;

import java.util.Objects;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.shade.jackson.annotation.JsonAutoDetect;
import org.nd4j.shade.jackson.annotation.JsonProperty;

/**
 * Learning rate per step: linear warmup, then one of these. Step s, counted from 0, of the warmup
 * has rate peak · (s + 1) / warmupSteps; the last step of training is the first whose successor
 * would be at the floor.
 *
 * <ul>
 *   <li>constant, and linear decay to the floor
 *   <li>cosine: half a cosine to the floor (Loshchilov and Hutter, arXiv 1608.03983)
 *   <li>wsd: warmup, stable, decay (Hu et al. 2024, arXiv 2404.06395): constant, and over the last
 *       steps to the floor by one minus the root of the progress (Hägele et al. 2024, arXiv
 *       2405.18392)
 * </ul>
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
    COSINE,
    WSD
  }

  private final Kind kind;
  private final double peak;
  private final double floor;
  private final int warmupSteps;
  private final int steps;
  private final int decaySteps;

  /**
   * @param peak learning rate after the warmup
   * @param floor learning rate at and after {@code steps}
   * @param warmupSteps length of the warmup, 0 for none
   * @param steps length of the whole training
   * @param decaySteps of them at the end in which wsd falls; nothing to the others
   */
  public Schedule(
      @JsonProperty("kind") Kind kind,
      @JsonProperty("peak") double peak,
      @JsonProperty("floor") double floor,
      @JsonProperty("warmupSteps") int warmupSteps,
      @JsonProperty("steps") int steps,
      @JsonProperty("decaySteps") int decaySteps) {
    this.kind = kind;
    this.peak = peak;
    this.floor = floor;
    this.warmupSteps = warmupSteps;
    this.steps = steps;
    this.decaySteps = decaySteps;
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
    int start = kind == Kind.WSD ? Math.max(warmupSteps, steps - decaySteps) : warmupSteps;
    double progress = Math.min(1, Math.max(0, step - start) / (double) Math.max(1, steps - start));
    double remaining =
        switch (kind) {
          case LINEAR -> 1 - progress;
          case WSD -> 1 - Math.sqrt(progress);
          default -> 0.5 * (1 + Math.cos(Math.PI * progress));
        };
    return floor + (peak - floor) * remaining;
  }

  @Override
  public ISchedule clone() {
    return new Schedule(kind, peak, floor, warmupSteps, steps, decaySteps);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Schedule that
        && kind == that.kind
        && peak == that.peak
        && floor == that.floor
        && warmupSteps == that.warmupSteps
        && steps == that.steps
        && decaySteps == that.decaySteps;
  }

  @Override
  public int hashCode() {
    return Objects.hash(kind, peak, floor, warmupSteps, steps, decaySteps);
  }
}
