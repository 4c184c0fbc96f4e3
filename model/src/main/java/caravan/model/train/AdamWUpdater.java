package caravan.model.train;

import caravan.model.engine.FlatLoops;

/** The arithmetic of {@link AdamW}. */
public final class AdamWUpdater extends FlatUpdater<AdamW> {
  AdamWUpdater(AdamW config) {
    super(config);
  }

  /**
   * m = β1·m + (1−β1)·g, v = β2·v + (1−β2)·g², g = rate · m / (√v · root + ε), with g first scaled
   * by the clipping and the bias corrections in rate and root.
   */
  @Override
  void update(long g, long state, long stride, int count, Pass pass) {
    AdamW config = getConfig();
    float scale = pass.scale();
    float rate = (float) (pass.rate() / (1 - Math.pow(config.beta1(), pass.steps())));
    float root = (float) (1 / Math.sqrt(1 - Math.pow(config.beta2(), pass.steps())));
    float b1 = (float) config.beta1();
    float b2 = (float) config.beta2();
    float c1 = (float) (1 - config.beta1());
    float c2 = (float) (1 - config.beta2());
    float epsilon = (float) config.epsilon();
    FlatLoops.adamW(g, state, state + stride, count, scale, rate, root, b1, b2, c1, c2, epsilon);
  }
}
