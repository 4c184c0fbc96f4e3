package caravan.model.engine;

import caravan.model.AdapterLayout.Adapter;

/**
 * The values that dropout zeroes in one pass. They depend on the seed, the step, the sequence's
 * tokens, the place in the model and the position in the sequence: not on which worker has the
 * sequence, nor on how a step is cut into batches, so that N workers zero what one would.
 */
final class Dropping {
  static final Dropping NONE = new Dropping();

  private Objective objective = Objective.PLAIN;
  private double adapterDropout;
  private int seq = 1;

  /** By sequence. */
  private long[] keys = {};

  static Dropping of(TrainingPass pass, TokenBatch batch) {
    return new Dropping().of(pass, batch, 0);
  }

  /**
   * Makes this what a pass zeroes.
   *
   * @param inAdapters share of an adapter's inputs, in [0, 1)
   */
  Dropping of(TrainingPass pass, TokenBatch batch, double inAdapters) {
    if (!pass.objective().drops() && inAdapters == 0) {
      return NONE;
    }
    objective = pass.objective();
    adapterDropout = inAdapters;
    seq = batch.seq();
    if (keys.length < batch.batch()) {
      keys = new long[batch.batch()];
    }
    DropoutKeys.ofSequences(pass.objective().seed(), pass.step(), batch, keys);
    return this;
  }

  /** Whether values of the residual branches are zeroed. */
  boolean ofBranches() {
    return objective.residualDropout() > 0;
  }

  /** Zeroes values of the embeddings, or of their gradient, in rows [from, to) of a batch. */
  void embeddings(Buffer x, int width, int from, int to) {
    apply(x, width, from, to, DropoutKeys.EMBEDDING, objective.embeddingDropout());
  }

  /**
   * Likewise of what a half of a block adds to the residual stream.
   *
   * @param half 2 · layer for attention, 2 · layer + 1 for feed-forward
   */
  void branch(int half, Buffer x, int width, int from, int to) {
    apply(x, width, from, to, DropoutKeys.branch(half), objective.residualDropout());
  }

  /** Whether inputs of adapters are zeroed. */
  boolean ofAdapters() {
    return adapterDropout > 0;
  }

  /**
   * Zeroes values of an adapter's input, or of its gradient, in rows [from, to) of [rows, stride].
   *
   * @param width columns that it has
   */
  void adapterInput(Adapter adapter, Buffer x, int stride, int width, int from, int to) {
    for (int row = from; row < to; row++) {
      DropoutVectors.apply(
          x, row * stride, width, rowKey(DropoutKeys.adapter(adapter), row), adapterDropout);
    }
  }

  private void apply(Buffer x, int width, int from, int to, int place, double rate) {
    if (rate > 0) {
      for (int row = from; row < to; row++) {
        DropoutVectors.apply(x, row * width, width, rowKey(place, row), rate);
      }
    }
  }

  private long rowKey(int place, int row) {
    return DropoutKeys.key(DropoutKeys.key(keys[row / seq], place), row % seq);
  }

  /** What an embedding's value is multiplied by. */
  float embeddingFactor(int row, int column) {
    return factor(DropoutKeys.EMBEDDING, row, column, objective.embeddingDropout());
  }

  /** What a half's value is multiplied by. */
  float branchFactor(int half, int row, int column) {
    return factor(DropoutKeys.branch(half), row, column, objective.residualDropout());
  }

  private float factor(int place, int row, int column, double rate) {
    return rate > 0 ? DropoutMask.factor(rowKey(place, row), column, rate) : 1;
  }
}
