package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** {@link DropoutMask} on a row at once, by vectors: apart from what needs none of them. */
final class DropoutVectors {
  private static final VectorSpecies<Integer> INTS = LANES.withLanes(int.class);
  private static final IntVector COLUMNS = IntVector.zero(INTS).addIndex(1);

  private DropoutVectors() {}

  /** Zeroes and scales the {@code width} floats of a row from {@code at} on, in place. */
  static void apply(Buffer x, int at, int width, long rowKey, double rate) {
    int low = (int) rowKey;
    int high = (int) (rowKey >>> 32);
    int threshold = DropoutKeys.threshold(rate);
    float scale = DropoutKeys.scale(rate);
    int bound = LANES.loopBound(width);
    int j = 0;
    for (; j < bound; j += WIDTH) {
      IntVector h = COLUMNS.add(j + low);
      h = xorShifted(h, 16).mul(DropoutMask.A).lanewise(VectorOperators.XOR, high);
      h = xorShifted(xorShifted(h, 15).mul(DropoutMask.B), 16);
      VectorMask<Float> zeroed =
          h.lanewise(VectorOperators.LSHR, 32 - DropoutMask.BITS)
              .compare(VectorOperators.LT, threshold)
              .cast(LANES);
      x.store(at + j, x.load(at + j).mul(scale).blend(0f, zeroed));
    }
    for (; j < width; j++) {
      x.set(at + j, x.get(at + j) * DropoutMask.factor(rowKey, j, rate));
    }
  }

  private static IntVector xorShifted(IntVector h, int distance) {
    return h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, distance));
  }
}
