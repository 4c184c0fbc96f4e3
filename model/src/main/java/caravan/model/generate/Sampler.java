package caravan.model.generate;

import java.util.Arrays;
import java.util.Random;

/**
 * Chooses the next token from its logits: divided by the temperature, cut to the {@code topK}
 * highest, then to the nucleus (Holtzman et al. 2020, arXiv 1904.09751): the fewest tokens, most
 * probable first, whose probabilities sum to {@code topP}. Equal logits rank by lower id. The same
 * seed gives the same choices.
 */
public final class Sampler {
  private final double temperature;
  private final int topK;
  private final double topP;
  private final Random random;

  /**
   * @param temperature 0 takes the highest logit (the lowest such id) and ignores the rest
   * @param topK how many tokens stay eligible, 0 for all
   * @param topP probability mass that stays eligible, above 0 up to 1 (all)
   * @throws IllegalArgumentException when one is out of range
   */
  public Sampler(double temperature, int topK, double topP, long seed) {
    if (!(temperature >= 0) || Double.isInfinite(temperature)) {
      throw new IllegalArgumentException(
          "temperature: got " + temperature + ", wanted 0 (greedy) or more");
    }
    if (topK < 0) {
      throw new IllegalArgumentException("top-k: got " + topK + ", wanted 0 (all) or more");
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException("top-p: got " + topP + ", wanted above 0 and at most 1");
    }
    this.temperature = temperature;
    this.topK = topK;
    this.topP = topP;
    this.random = new Random(seed);
  }

  /** Always the most probable token. */
  public static Sampler greedy() {
    return new Sampler(0, 0, 1, 0);
  }

  /**
   * @param logits [vocab] left unchanged
   * @throws IllegalStateException when one of them is not a number or is infinite
   */
  public int sample(float[] logits) {
    int best = highest(logits);
    if (temperature == 0 || topK == 1) {
      return best;
    }
    int[] ids = new int[logits.length];
    double[] weights = new double[logits.length];
    boolean ranked = topK > 0 || topP < 1;
    int[] order = ranked ? descending(logits) : null;
    int eligible = topK > 0 ? Math.min(topK, logits.length) : logits.length;
    double sum = 0;
    for (int i = 0; i < eligible; i++) {
      ids[i] = ranked ? order[i] : i;
      weights[i] = Math.exp((logits[ids[i]] - (double) logits[best]) / temperature);
      sum += weights[i];
    }
    if (topP < 1) {
      double wanted = topP * sum;
      sum = 0;
      int nucleus = 0;
      while (nucleus < eligible && sum < wanted) {
        sum += weights[nucleus++];
      }
      eligible = nucleus;
    }
    double threshold = random.nextDouble() * sum;
    int last = 0;
    for (int i = 0; i < eligible; i++) {
      threshold -= weights[i];
      if (weights[i] > 0) {
        last = i;
        if (threshold < 0) {
          break;
        }
      }
    }
    return ids[last];
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
