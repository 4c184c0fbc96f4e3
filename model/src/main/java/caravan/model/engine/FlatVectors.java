package caravan.model.engine;

import static caravan.model.engine.Buffer.WIDTH;
import static caravan.model.engine.LaneOps.add;
import static caravan.model.engine.LaneOps.all;
import static caravan.model.engine.LaneOps.div;
import static caravan.model.engine.LaneOps.fma;
import static caravan.model.engine.LaneOps.mul;
import static caravan.model.engine.LaneOps.sqrt;

import jdk.incubator.vector.FloatVector;

/** The loops of {@link FlatLoops} by vectors, in a class that is loaded only where it can be. */
final class FlatVectors {
  private FlatVectors() {}

  /** The part of so many floats that is whole vectors. */
  static int whole(int floats) {
    return floats - floats % WIDTH;
  }

  /** Σ g² of the first {@code end} floats. */
  static float squares(long g, int end) {
    FloatVector sum = all(0f);
    for (int i = 0; i < end; i += WIDTH) {
      FloatVector x = Memory.floats(g + (long) i * Float.BYTES);
      sum = fma(x, x, sum);
    }
    return Lanes.sum(sum);
  }

  /** {@link FlatLoops#adamW} of the first {@code end} floats. */
  static void adamW(
      long g,
      long m,
      long v,
      int end,
      float scale,
      float rate,
      float root,
      float b1,
      float b2,
      float c1,
      float c2,
      float epsilon) {
    FloatVector scales = all(scale);
    FloatVector rates = all(rate);
    FloatVector roots = all(root);
    FloatVector b1s = all(b1);
    FloatVector b2s = all(b2);
    FloatVector c1s = all(c1);
    FloatVector c2s = all(c2);
    FloatVector epsilons = all(epsilon);
    for (int i = 0; i < end; i += WIDTH) {
      long at = (long) i * Float.BYTES;
      FloatVector gradient = mul(Memory.floats(g + at), scales);
      FloatVector first = add(mul(Memory.floats(m + at), b1s), mul(gradient, c1s));
      FloatVector second = add(mul(Memory.floats(v + at), b2s), mul(mul(gradient, gradient), c2s));
      Memory.store(m + at, first);
      Memory.store(v + at, second);
      Memory.store(g + at, div(mul(first, rates), add(mul(sqrt(second), roots), epsilons)));
    }
  }
}
