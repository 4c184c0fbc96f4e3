package caravan.model.engine.cuda;

import caravan.model.engine.DropoutKeys;
import caravan.model.engine.Objective;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;

/**
 * How a batch goes through the model.
 *
 * @param training what is optimized and where the gradient goes
 * @param adapterDropout share of an adapter's inputs that is zeroed
 * @param sequenceKeys of dropout, a key for each sequence; empty without dropout
 */
record Pass(TrainingPass training, double adapterDropout, long[] sequenceKeys) {
  /** Nothing is zeroed and no gradient taken. */
  static final Pass SCORING =
      new Pass(new TrainingPass(Objective.PLAIN, 0, 1, false), 0, new long[0]);

  static Pass of(TrainingPass training, TokenBatch batch, double adapterDropout) {
    Objective objective = training.objective();
    boolean drops = objective.drops() || adapterDropout > 0;
    long[] keys = new long[drops ? batch.batch() : 0];
    if (drops) {
      DropoutKeys.ofSequences(objective.seed(), training.step(), batch, keys);
    }
    return new Pass(training, adapterDropout, keys);
  }

  Objective objective() {
    return training.objective();
  }

  /** Whether gradients and sums of losses are added to those of the pass before. */
  boolean adds() {
    return training.adds();
  }
}
