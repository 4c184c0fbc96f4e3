package caravan.model.engine;

/**
 * One forward and backward pass as a part of a step: how its loss is weighed and where its gradient
 * goes.
 *
 * @param step steps done before this one: dropout zeroes other values in each
 * @param targets target tokens of the whole step, of which the batch may be a part
 * @param adds whether the gradient is added to what is there
 */
public record TrainingPass(Objective objective, int step, int targets, boolean adds) {

  /** A step of this batch alone. */
  public static TrainingPass whole(Objective objective, int step, TokenBatch batch) {
    return new TrainingPass(objective, step, batch.targetCount(), false);
  }

  /**
   * Losses of the batch's targets, summed up and divided by the step's targets: a step's passes add
   * up to its means.
   *
   * @param objective what is optimized
   * @param crossEntropy plain cross entropy in nats, under dropout where there is any
   */
  public record Loss(double objective, double crossEntropy) {
    public static final Loss ZERO = new Loss(0, 0);

    public Loss plus(Loss other) {
      return new Loss(objective + other.objective, crossEntropy + other.crossEntropy);
    }
  }
}
