package caravan.model.train;

import caravan.model.engine.VectorApi;
import java.nio.ByteBuffer;

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
  void update(ByteBuffer g, ByteBuffer[] state, Pass pass) {
    AdamW config = getConfig();
    ByteBuffer m = state[0];
    ByteBuffer v = state[1];
    float scale = pass.scale();
    float rate = (float) (pass.rate() / (1 - Math.pow(config.beta1(), pass.steps())));
    float root = (float) (1 / Math.sqrt(1 - Math.pow(config.beta2(), pass.steps())));
    float b1 = (float) config.beta1();
    float b2 = (float) config.beta2();
    float c1 = (float) (1 - config.beta1());
    float c2 = (float) (1 - config.beta2());
    float epsilon = (float) config.epsilon();
    int end = g.capacity();
    int vectorEnd = VectorApi.isPresent() ? FlatVectors.whole(end) : 0;
    if (vectorEnd > 0) {
      FlatVectors.adamW(g, m, v, vectorEnd, scale, rate, root, b1, b2, c1, c2, epsilon);
    }
    for (int at = vectorEnd; at < end; at += 4) {
      float gradient = g.getFloat(at) * scale;
      float first = m.getFloat(at) * b1 + gradient * c1;
      float second = v.getFloat(at) * b2 + gradient * gradient * c2;
      m.putFloat(at, first);
      v.putFloat(at, second);
      g.putFloat(at, first * rate / ((float) Math.sqrt(second) * root + epsilon));
    }
  }
}
