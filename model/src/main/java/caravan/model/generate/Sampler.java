package caravan.model.generate;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Chooses the next token from its logits as {@link Sampling} says. Equal logits rank by lower id.
 * The same seed gives the same choices.
 */
public final class Sampler {
  private final Sampling settings;
  private final Random random;

  public Sampler(Sampling settings, long seed) {
    this.settings = settings;
    this.random = new Random(seed);
  }

  /** Without min-p and repetition penalty. */
  public Sampler(double temperature, int topK, double topP, long seed) {
    this(new Sampling(temperature, topK, topP, 0, 1), seed);
  }

  /** Always the most probable token. */
  public static Sampler greedy() {
    return new Sampler(0, 0, 1, 0);
  }

  /** Whether this takes the most probable token whatever was seen. */
  public boolean isGreedy() {
    boolean only = settings.temperature() == 0 || settings.topK() == 1;
    return only && settings.repetitionPenalty() == 1;
  }

  /**
   * @param logits [vocab] left unchanged
   * @param seen ids of the prompt and of what followed it, which a repetition penalty is for
   * @throws IllegalStateException when a logit is not a number or is infinite
   */
  public int sample(float[] logits, BitSet seen) {
    return sample(penalized(logits, seen));
  }

  private float[] penalized(float[] logits, BitSet seen) {
    float penalty = (float) settings.repetitionPenalty();
    if (penalty == 1) {
      return logits;
    }
    float[] penalized = logits.clone();
    seen.stream()
        .forEach(
            id -> penalized[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty);
    return penalized;
  }

  /** As above, where nothing was seen before. */
  public int sample(float[] logits) {
    int best = highest(logits);
    if (settings.temperature() == 0 || settings.topK() == 1) {
      return best;
    }
    int[] ids = eligible(logits);
    double[] weights = new double[ids.length];
    double sum = 0;
    for (int i = 0; i < ids.length; i++) {
      double distance = logits[ids[i]] - (double) logits[best];
      weights[i] = Math.exp(distance / settings.temperature());
      sum += weights[i];
    }
    int count = ids.length;
    if (settings.isCut()) {
      count = nucleus(weights, settings.topP() * sum);
      while (weights[count - 1] < settings.minP()) {
        count--;
      }
      sum = 0;
      for (int i = 0; i < count; i++) {
        sum += weights[i];
      }
    }
    return ids[drawn(weights, count, sum)];
  }

  /** All ids, or the topK best, best first, where any are to be cut off. */
  private int[] eligible(float[] logits) {
    boolean all = settings.topK() == 0 || settings.topK() >= logits.length;
    if (all && !settings.isCut()) {
      return IntStream.range(0, logits.length).toArray();
    }
    int[] order = descending(logits);
    return all ? order : Arrays.copyOf(order, settings.topK());
  }

  /** The fewest of the sorted weights that sum to {@code wanted}. */
  private int nucleus(double[] weights, double wanted) {
    if (settings.topP() == 1) {
      return weights.length;
    }
    double sum = 0;
    int count = 0;
    while (count < weights.length && sum < wanted) {
      sum += weights[count++];
    }
    return Math.max(1, count);
  }

  private int drawn(double[] weights, int count, double sum) {
    double threshold = random.nextDouble() * sum;
    int last = 0;
    for (int i = 0; i < count; i++) {
      threshold -= weights[i];
      if (weights[i] > 0) {
        last = i;
        if (threshold < 0) {
          break;
        }
      }
    }
    return last;
  }

  private static int highest(float[] logits) {
    int best = 0;
    for (int id = 0; id < logits.length; id++) {
      if (!Float.isFinite(logits[id])) {
        throw new IllegalStateException(
            "logit of token "
                + id
                + " is "
                + logits[id]
                + ": the model's weights are damaged or its training diverged");
      }
      if (logits[id] > logits[best]) {
        best = id;
      }
    }
    return best;
  }

  /** Ids by falling logit, equal ones by rising id: both packed in one sortable long. */
  private static int[] descending(float[] logits) {
    long[] keys = new long[logits.length];
    for (int id = 0; id < keys.length; id++) {
      // Float bits sort like integers once negative numbers are flipped; adding 0 merges -0 and 0.
      int bits = Float.floatToIntBits(logits[id] + 0f);
      int ascending = bits >= 0 ? bits : bits ^ Integer.MAX_VALUE;
      keys[id] = (long) ~ascending << 32 | id;
    }
    Arrays.sort(keys);
    int[] order = new int[keys.length];
    for (int i = 0; i < order.length; i++) {
      order[i] = (int) keys[i];
    }
    return order;
  }
}
