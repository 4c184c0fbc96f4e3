package caravan.pipeline.learn;

import caravan.pipeline.text.NgramModel;
import java.util.ArrayList;
import java.util.List;

/**
 * Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, section 3; as KenLM, Heafield
 * et al. 2013). With c the number of occurrences of an n-gram for the longest, and the number of
 * different units before it for shorter ones,
 *
 * <pre>
 *   p(w | u…v) = max(0, c(u…vw) − D(c)) / Σ_x c(u…vx) + γ(u…v) · p(w | …v)
 * </pre>
 *
 * down to the uniform distribution over vocabulary and unknown unit. γ is what the n-grams in the
 * model leave, so that probabilities sum to 1 whichever of them were pruned.
 */
public final class KneserNey {

  /**
   * What is subtracted from counts of 1, 2, and 3 or more.
   *
   * @param one 0 to 1, and so on
   */
  public record Discounts(double one, double two, double more) {
    /** KenLM's where a corpus is too small to estimate them. */
    static final Discounts FALLBACK = new Discounts(0.5, 1, 1.5);

    /**
     * Chen and Goodman's estimate.
     *
     * @param n number of n-grams that were counted 1, 2, 3 and 4 times
     */
    public static Discounts estimate(long[] n) {
      double y = (double) n[0] / (n[0] + 2.0 * n[1]);
      Discounts estimated =
          new Discounts(1 - 2 * y * n[1] / n[0], 2 - 3 * y * n[2] / n[1], 3 - 4 * y * n[3] / n[2]);
      return within(estimated.one, 1) && within(estimated.two, 2) && within(estimated.more, 3)
          ? estimated
          : FALLBACK;
    }

    private static boolean within(double discount, double count) {
      return discount >= 0 && discount <= count;
    }

    double of(long count) {
      return count == 1 ? one : count == 2 ? two : more;
    }
  }

  /**
   * The n-grams of one order that the model keeps.
   *
   * @param keys their hashes, by {@link NgramModel#extend}
   * @param contexts hashes of all but the last unit of each
   * @param suffixes hashes of all but the first unit of each
   * @param counts c of each
   * @param totalContexts hashes of contexts, those in {@code contexts} among them
   * @param totals Σ c of everything, kept or not, after each of {@code totalContexts}
   */
  public record Order(
      long[] keys,
      long[] contexts,
      long[] suffixes,
      long[] counts,
      long[] totalContexts,
      long[] totals,
      Discounts discounts) {}

  /** Probabilities and backoff weights of one order's n-grams. */
  private static final class Level {
    final LongIndex index;
    final double[] probability;
    final double[] backoff;

    Level(long[] keys) {
      index = new LongIndex(keys);
      probability = new double[keys.length];
      backoff = new double[keys.length];
      java.util.Arrays.fill(backoff, 1);
    }
  }

  private KneserNey() {}

  /**
   * @param orders from the shortest; the n-gram without its first and the one without its last unit
   *     of each are in the order before
   */
  public static NgramModel model(List<Order> orders) {
    double uniform = 1.0 / (orders.get(0).keys().length + 1);
    double[] weightOfUniform = {1};
    List<Level> levels = new ArrayList<>();
    for (Order order : orders) {
      Level shorter = levels.isEmpty() ? null : levels.get(levels.size() - 1);
      double[] weights = shorter == null ? weightOfUniform : shorter.backoff;
      LongIndex contexts = shorter == null ? new LongIndex(new long[] {0}) : shorter.index;
      setBackoff(order, contexts, weights);
      Level level = new Level(order.keys());
      double[] totals = totals(order, contexts);
      for (int i = 0; i < order.keys().length; i++) {
        int context = contexts.of(order.contexts()[i]);
        long count = order.counts()[i];
        double below =
            shorter == null ? uniform : shorter.probability[shorter.index.of(order.suffixes()[i])];
        level.probability[i] =
            (count - order.discounts().of(count)) / totals[context] + weights[context] * below;
      }
      levels.add(level);
    }
    return build(orders, levels, weightOfUniform[0] * uniform);
  }

  private static double[] totals(Order order, LongIndex contexts) {
    double[] totals = new double[contexts.size()];
    for (int i = 0; i < order.totalContexts().length; i++) {
      totals[contexts.of(order.totalContexts()[i])] = order.totals()[i];
    }
    return totals;
  }

  /** Sums whole numbers, whose order does not matter: equal counts make equal models. */
  private static void setBackoff(Order order, LongIndex contexts, double[] weights) {
    long[][] byCount = new long[3][contexts.size()];
    long[] sums = new long[contexts.size()];
    for (int i = 0; i < order.keys().length; i++) {
      int context = contexts.of(order.contexts()[i]);
      long count = order.counts()[i];
      sums[context] += count;
      byCount[(int) Math.min(count, 3) - 1][context]++;
    }
    Discounts d = order.discounts();
    double[] totals = totals(order, contexts);
    for (int i = 0; i < weights.length; i++) {
      if (sums[i] > 0) {
        double discounted =
            d.one() * byCount[0][i] + d.two() * byCount[1][i] + d.more() * byCount[2][i];
        weights[i] = (totals[i] - sums[i] + discounted) / totals[i];
      }
    }
  }

  private static NgramModel build(List<Order> orders, List<Level> levels, double unknown) {
    NgramModel.Builder builder =
        new NgramModel.Builder(
            -Math.log(unknown), orders.stream().map(order -> order.keys().length).toList());
    for (int k = 0; k < levels.size(); k++) {
      Level level = levels.get(k);
      long[] keys = orders.get(k).keys();
      for (int i = 0; i < keys.length; i++) {
        builder.put(
            k + 1,
            keys[i],
            -StrictMath.log(level.probability[i]),
            -StrictMath.log(level.backoff[i]));
      }
    }
    return builder.build();
  }
}
