package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** {@link DropoutMask} on a row at once, by vectors: apart from what needs none of them. */
final class DropoutVectors {
  private static final IntVector COLUMNS = IntVector.zero(LaneInts.LANES_OF_INTS).addIndex(1);
  private static final IntVector A = LaneInts.all(DropoutMask.A);
  private static final IntVector B = LaneInts.all(DropoutMask.B);

  private DropoutVectors() {}

  /** Zeroes and scales the {@code width} floats of a row from {@code at} on, in place. */
  static void apply(Buffer x, int at, int width, long rowKey, double rate) {
    int bound = LANES.loopBound(width);
    if (Memory.DIRECT) {
      direct(x.address(at), bound, rowKey, rate);
    } else {
      byApi(x, at, bound, rowKey, rate);
    }
    for (int j = bound; j < width; j++) {
      x.set(at + j, x.get(at + j) * DropoutMask.factor(rowKey, j, rate));
    }
  }

  /** The first {@code count} floats from an address on: nothing becomes an object in the heap. */
  private static void direct(long address, int count, long rowKey, double rate) {
    int low = (int) rowKey;
    IntVector high = LaneInts.all((int) (rowKey >>> 32));
    IntVector last = LaneInts.all(DropoutKeys.threshold(rate) - 1);
    FloatVector scale = LaneOps.all(DropoutKeys.scale(rate));
    for (int j = 0; j < count; j += WIDTH) {
      IntVector hash = hash(LaneInts.add(COLUMNS, LaneInts.all(j + low)), high);
      // Both are below 2^24: the difference is negative where the value is kept.
      IntVector kept =
          LaneInts.signs(
              LaneInts.sub(last, LaneInts.shiftRight(hash, Integer.SIZE - DropoutMask.BITS)));
      long place = address + (long) j * Float.BYTES;
      FloatVector scaled = LaneOps.mul(Memory.floats(place), scale);
      Memory.store(place, LaneInts.and(scaled.reinterpretAsInts(), kept).reinterpretAsFloats());
    }
  }

  private static IntVector hash(IntVector low, IntVector high) {
    IntVector h = LaneInts.mul(LaneInts.xor(low, LaneInts.shiftRight(low, 16)), A);
    h = LaneInts.xor(h, high);
    h = LaneInts.mul(LaneInts.xor(h, LaneInts.shiftRight(h, 15)), B);
    return LaneInts.xor(h, LaneInts.shiftRight(h, 16));
  }

  /** As {@link #direct}, without the export that it needs. */
  private static void byApi(Buffer x, int at, int count, long rowKey, double rate) {
    int low = (int) rowKey;
    int high = (int) (rowKey >>> 32);
    int threshold = DropoutKeys.threshold(rate);
    float scale = DropoutKeys.scale(rate);
    for (int j = 0; j < count; j += WIDTH) {
      IntVector h = COLUMNS.add(j + low);
      h = xorShifted(h, 16).mul(DropoutMask.A).lanewise(VectorOperators.XOR, high);
      h = xorShifted(xorShifted(h, 15).mul(DropoutMask.B), 16);
      VectorMask<Float> zeroed =
          h.lanewise(VectorOperators.LSHR, Integer.SIZE - DropoutMask.BITS)
              .compare(VectorOperators.LT, threshold)
              .cast(LANES);
      x.store(at + j, x.load(at + j).mul(scale).blend(0f, zeroed));
    }
  }

  private static IntVector xorShifted(IntVector h, int distance) {
    return h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, distance));
  }
}
