package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;

/**
 * {@link Objective}'s loss of one row of logits, whose layout {@link CrossEntropy} describes.
 *
 * <pre>
 * dLogits = (1 + 2 c log Z) softmax(logits) − ε / V − (1 − ε) onehot(target)
 * </pre>
 */
final class PenalizedCrossEntropy {
  private PenalizedCrossEntropy() {}

  /**
   * What the row's objective has beyond its cross entropy, ε · (logit[target] − mean(logits)) + c ·
   * (log Z)², in nats; the row becomes {@code weight} · dLogits.
   */
  static double penaltyAndGradient(
      Buffer logits, int at, int vocab, int target, float weight, Objective objective) {
    double smoothing = objective.labelSmoothing();
    float logit = logits.get(at + target);
    double above = smoothing > 0 ? logit - sum(logits, at, vocab) / vocab : 0;
    double logSum = logit - CrossEntropy.logProbability(logits, at, vocab, target);
    float factor = (float) (weight * (1 + 2 * objective.zLoss() * logSum));
    float everywhere = (float) (weight * smoothing / vocab);
    float shift = (float) logSum;
    for (int j = 0; j < Buffer.padded(vocab); j += WIDTH) {
      FloatVector probability = Lanes.exp(logits.load(at + j).sub(shift));
      logits.store(at + j, probability.mul(factor).sub(everywhere));
    }
    logits.set(at + target, (float) (logits.get(at + target) - weight * (1 - smoothing)));
    return smoothing * above + objective.zLoss() * logSum * logSum;
  }

  private static double sum(Buffer logits, int at, int vocab) {
    int bound = LANES.loopBound(vocab);
    FloatVector sums = FloatVector.zero(LANES);
    int j = 0;
    for (; j < bound; j += WIDTH) {
      sums = sums.add(logits.load(at + j));
    }
    double sum = Lanes.sum(sums);
    for (; j < vocab; j++) {
      sum += logits.get(at + j);
    }
    return sum;
  }
}
