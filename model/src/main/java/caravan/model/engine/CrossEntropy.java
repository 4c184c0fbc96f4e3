package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Softmax cross entropy of one row of logits.
 *
 * <pre>
 * loss = log Σ exp(logits) − logits[target]        dLogits = softmax(logits) − onehot(target)
 * </pre>
 *
 * <p>A row starts at float {@code at}; the floats from {@code vocab} up to the next whole vector
 * belong to it and are overwritten.
 */
final class CrossEntropy {
  private CrossEntropy() {}

  /** Loss of one row in nats, which becomes {@code weight} · dLogits in place. */
  static double lossAndGradient(Buffer logits, int at, int vocab, int target, float weight) {
    int padded = hide(logits, at, vocab);
    float max = max(logits, at, padded);
    float logit = logits.get(at + target);
    FloatVector sums = FloatVector.zero(LANES);
    for (int j = 0; j < padded; j += WIDTH) {
      FloatVector e = Lanes.exp(logits.load(at + j).sub(max));
      logits.store(at + j, e);
      sums = sums.add(e);
    }
    float sum = Lanes.sum(sums);
    float factor = weight / sum;
    for (int j = 0; j < padded; j += WIDTH) {
      logits.store(at + j, logits.load(at + j).mul(factor));
    }
    logits.set(at + target, logits.get(at + target) - weight);
    return Math.log(sum) + (max - logit);
  }

  /** Log-probability of the target; the row stays as it is. */
  static float logProbability(Buffer logits, int at, int vocab, int target) {
    int padded = hide(logits, at, vocab);
    float max = max(logits, at, padded);
    FloatVector sums = FloatVector.zero(LANES);
    for (int j = 0; j < padded; j += WIDTH) {
      sums = sums.add(Lanes.exp(logits.load(at + j).sub(max)));
    }
    float sum = Lanes.sum(sums);
    return (float) (logits.get(at + target) - max - Math.log(sum));
  }

  /** Whether no logit is higher than the target's. */
  static boolean isGreedy(Buffer logits, int at, int vocab, int target) {
    return logits.get(at + target) >= max(logits, at, hide(logits, at, vocab));
  }

  private static float max(Buffer logits, int at, int padded) {
    FloatVector maxima = logits.load(at);
    for (int j = WIDTH; j < padded; j += WIDTH) {
      maxima = maxima.max(logits.load(at + j));
    }
    return maxima.reduceLanes(VectorOperators.MAX);
  }

  private static int hide(Buffer logits, int at, int vocab) {
    int padded = Buffer.padded(vocab);
    for (int j = vocab; j < padded; j++) {
      logits.set(at + j, Float.NEGATIVE_INFINITY);
    }
    return padded;
  }
}
