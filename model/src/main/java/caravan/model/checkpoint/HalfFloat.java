package caravan.model.checkpoint;

/** IEEE 754 half precision: 1 sign bit, 5 exponent bits, 10 fraction bits. */
public final class HalfFloat {
  /** Bits of the float 65520, which lies between the largest half and what would be the next. */
  private static final int BEYOND = 0x477ff000;

  private static final int INFINITY = 0x7f800000;

  /** Bits of the float 2^-14. */
  private static final int SMALLEST_NORMAL = 0x38800000;

  private HalfFloat() {}

  /** The float of the same value; infinities, NaN and subnormal numbers included. */
  public static float toFloat(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = (bits >> 10) & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) {
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int widened = exponent == 0x1f ? 0xff : exponent - 15 + 127;
    return Float.intBitsToFloat(sign | widened << 23 | fraction << 13);
  }

  /** The nearest half, of two equally near the one with an even fraction; infinity beyond 65504. */
  public static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude >= BEYOND) {
      return (short) (sign | (magnitude > INFINITY ? 0x7e00 : 0x7c00));
    }
    if (magnitude < SMALLEST_NORMAL) {
      // The sum's last bit is worth as much as the subnormal halves' last one, and it is rounded.
      float sum = Float.intBitsToFloat(magnitude) + 0.5f;
      return (short) (sign | Float.floatToRawIntBits(sum) - Float.floatToRawIntBits(0.5f));
    }
    int rounded = magnitude + 0xfff + (magnitude >>> 13 & 1);
    return (short) (sign | rounded - (SMALLEST_NORMAL - (1 << 23)) >>> 13);
  }
}
