package caravan.model.train;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * Looks at the losses as they come: which step is a spike, and whether validation has stopped to
 * improve. It follows from the metrics alone, so a resumed run that shows it the lines so far goes
 * on as if never stopped.
 */
final class LossWatch {
  /** Steps that a spike is compared with; before there are so many of them, nothing is one. */
  private static final int WINDOW = 100;

  /** Makes the median absolute deviation of a normal distribution its standard deviation. */
  private static final double MAD_TO_SIGMA = 1.4826;

  private final TrainConfig config;
  private final Deque<Double> recent = new ArrayDeque<>();
  private double least = Double.POSITIVE_INFINITY;
  private int stale;

  LossWatch(TrainConfig config) {
    this.config = config;
  }

  /** Takes note of one more line, of which validation is not measured twice. */
  void see(Metrics line) {
    if (line.loss() != null) {
      seeLoss(line.loss());
    }
    if (line.validationLoss() != null) {
      seeValidation(line.validationLoss());
    }
  }

  void seeLoss(double loss) {
    recent.add(loss);
    if (recent.size() > WINDOW) {
      recent.remove();
    }
  }

  void seeValidation(double loss) {
    boolean better = loss < least - config.earlyStopping().minDelta();
    stale = better ? 0 : stale + 1;
    least = better ? loss : least;
  }

  /**
   * Whether a loss lies more than the configured deviations above the median of the {@value
   * #WINDOW} steps before it. A deviation is that of the median's neighbours (1.4826 times their
   * median absolute deviation), which earlier spikes do not move.
   */
  boolean isSpike(double loss) {
    if (config.spikeDeviations() == 0 || recent.size() < WINDOW) {
      return false;
    }
    double[] losses = recent.stream().mapToDouble(Double::doubleValue).toArray();
    double median = median(losses);
    double[] distances = Arrays.stream(losses).map(l -> Math.abs(l - median)).toArray();
    return loss > median + config.spikeDeviations() * MAD_TO_SIGMA * median(distances);
  }

  /** Whether so many measurements in a row were no improvement that training is to end. */
  boolean exhausted() {
    return config.earlyStopping().patience() > 0 && stale >= config.earlyStopping().patience();
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
  }
}
