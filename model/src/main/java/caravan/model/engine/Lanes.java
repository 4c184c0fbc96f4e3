package caravan.model.engine;

import static caravan.model.engine.Buffer.LANES;
import static caravan.model.engine.Buffer.WIDTH;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * Sum and exponential of a vector's lanes, made of operations that IEEE 754 rounds in one way only.
 * The Vector API's own {@code reduceLanes(ADD)} and {@code EXP} may round differently once the
 * just-in-time compiler has replaced the interpreter, which would make two runs of one training
 * differ.
 */
final class Lanes {
  private static final VectorShuffle<Float> FROM_8 = exchange(8);
  private static final VectorShuffle<Float> FROM_4 = exchange(4);
  private static final VectorShuffle<Float> FROM_2 = exchange(2);
  private static final VectorShuffle<Float> FROM_1 = exchange(1);

  /** Adding it rounds a float below 2^22 to an integer, which stands in the lowest bits. */
  static final float ROUND = 0x1.8p23f;

  static final int ROUND_BITS = Float.floatToRawIntBits(ROUND);
  static final int EXPONENT_BIAS = 127;
  static final int MANTISSA_BITS = 23;

  static final float LOG2_E = 1.44269504f;

  /** ln 2 in two parts, the first exact in few bits. */
  static final float LN2_HIGH = 0.693359375f;

  static final float LN2_LOW = -2.12194440e-4f;

  /** Rounds to 2^−127, whose exponent bits are those of zero. */
  static final float LOWEST = -88.03f;

  /** Rounds to 2^128, whose bits are those of infinity. */
  static final float HIGHEST = 88.8f;

  /** From the highest power on; those of r and 1 are 1. */
  static final float[] POLYNOMIAL = {
    1.9875691500e-4f,
    1.3981999507e-3f,
    8.3334519073e-3f,
    4.1665795894e-2f,
    1.6666665459e-1f,
    5.0000001201e-1f
  };

  private Lanes() {}

  private static VectorShuffle<Float> exchange(int distance) {
    return VectorShuffle.fromOp(LANES, lane -> (lane ^ distance) % WIDTH);
  }

  /** Σ lanes, by halves. */
  static float sum(FloatVector v) {
    if (WIDTH > 8) {
      v = v.add(v.rearrange(FROM_8));
    }
    if (WIDTH > 4) {
      v = v.add(v.rearrange(FROM_4));
    }
    if (WIDTH > 2) {
      v = v.add(v.rearrange(FROM_2));
    }
    return v.add(v.rearrange(FROM_1)).lane(0);
  }

  /**
   * e^x within 2 units in the last place: x = n ln 2 + r with |r| ≤ ln 2 / 2, a polynomial in r
   * (coefficients of Moshier's Cephes library, expf), and n added to the exponent. Below −88.03, −∞
   * included, it is 0; above 88.38 it is ∞.
   */
  static FloatVector exp(FloatVector x) {
    return Memory.DIRECT ? LaneOps.exp(x) : expByApi(x);
  }

  /** The same bits, by the Vector API's own operations. */
  static FloatVector expByApi(FloatVector x) {
    FloatVector bounded = x.max(LOWEST).min(HIGHEST);
    FloatVector shifted = bounded.mul(LOG2_E).add(ROUND);
    FloatVector n = shifted.sub(ROUND);
    FloatVector r = bounded.sub(n.mul(LN2_HIGH)).sub(n.mul(LN2_LOW));
    FloatVector power = FloatVector.broadcast(LANES, POLYNOMIAL[0]);
    for (int i = 1; i < POLYNOMIAL.length; i++) {
      power = power.fma(r, FloatVector.broadcast(LANES, POLYNOMIAL[i]));
    }
    power = power.fma(r.mul(r), r).add(1f);
    FloatVector scale =
        shifted
            .reinterpretAsInts()
            .add(EXPONENT_BIAS - ROUND_BITS)
            .lanewise(VectorOperators.LSHL, MANTISSA_BITS)
            .reinterpretAsFloats();
    return power.mul(scale);
  }
}
