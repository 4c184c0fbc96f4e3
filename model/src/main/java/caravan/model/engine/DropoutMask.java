package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Dropout by counter (as Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
 * whether a value is zeroed depends on its row's key and its column alone, so that nothing is
 * stored, a pass that is run again zeroes the same values, and neither threads nor the order of
 * work play a part. Kept values are divided by 1 − rate (Srivastava et al., JMLR 2014).
 *
 * <pre>
 * h = column + low(key);   h = (h ⊕ h≫16) · A ⊕ high(key);   h = (h ⊕ h≫15) · B;   h ⊕= h≫16
 * zeroed when the upper 24 bits of h are below rate · 2^24
 * </pre>
 *
 * <p>A and B are those of Wellons' lowbias32.
 */
final class DropoutMask {
  private static final VectorSpecies<Integer> INTS = LANES.withLanes(int.class);
  private static final IntVector COLUMNS = IntVector.zero(INTS).addIndex(1);
  private static final int A = 0x7feb352d;
  private static final int B = 0x846ca68b;
  private static final int BITS = 24;

  private DropoutMask() {}

  /** The key of something numbered {@code number} within what has the key {@code key}. */
  static long key(long key, long number) {
    return mix(key + 0x9E3779B97F4A7C15L * (number + 1));
  }

  /** SplitMix64's finalizer (Steele et al., OOPSLA 2014). */
  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /** What one value is multiplied by: 0 or 1 / (1 − rate). */
  static float factor(long rowKey, int column, double rate) {
    return hash(column + (int) rowKey, (int) (rowKey >>> 32)) >>> 32 - BITS < threshold(rate)
        ? 0
        : scale(rate);
  }

  /** Zeroes and scales the {@code width} floats of a row from {@code at} on, in place. */
  static void apply(Buffer x, int at, int width, long rowKey, double rate) {
    int low = (int) rowKey;
    int high = (int) (rowKey >>> 32);
    int threshold = threshold(rate);
    float scale = scale(rate);
    int bound = LANES.loopBound(width);
    int j = 0;
    for (; j < bound; j += WIDTH) {
      IntVector h = COLUMNS.add(j + low);
      h = xorShifted(h, 16).mul(A).lanewise(VectorOperators.XOR, high);
      h = xorShifted(xorShifted(h, 15).mul(B), 16);
      VectorMask<Float> zeroed =
          h.lanewise(VectorOperators.LSHR, 32 - BITS)
              .compare(VectorOperators.LT, threshold)
              .cast(LANES);
      x.store(at + j, x.load(at + j).mul(scale).blend(0f, zeroed));
    }
    for (; j < width; j++) {
      x.set(at + j, x.get(at + j) * factor(rowKey, j, rate));
    }
  }

  private static IntVector xorShifted(IntVector h, int distance) {
    return h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, distance));
  }

  private static int hash(int low, int high) {
    int h = (low ^ low >>> 16) * A ^ high;
    h = (h ^ h >>> 15) * B;
    return h ^ h >>> 16;
  }

  private static int threshold(double rate) {
    return (int) Math.round(rate * (1 << BITS));
  }

  private static float scale(double rate) {
    return (float) (1 / (1 - rate));
  }
}
