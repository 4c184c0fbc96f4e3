package caravan.model.train;

import java.util.List;

/**
 * Weights of the workers in their mean Σ wᵢ·xᵢ / d: their shares of the target tokens, with d = 1;
 * or, where all have as many, 1 each with d their count, which is the plain mean to the bit.
 *
 * @param weights of the workers, in worker order
 * @param divisor of the weighted sum; 1 for none
 */
record MeanWeights(float[] weights, int divisor) {
  /**
   * @param targetTokens of the workers, in worker order
   */
  static MeanWeights of(List<Long> targetTokens) {
    float[] weights = new float[targetTokens.size()];
    boolean equal = targetTokens.stream().distinct().count() == 1;
    long total = targetTokens.stream().mapToLong(Long::longValue).sum();
    for (int i = 0; i < weights.length; i++) {
      weights[i] = equal ? 1f : (float) ((double) targetTokens.get(i) / total);
    }
    return new MeanWeights(weights, equal ? weights.length : 1);
  }
}
