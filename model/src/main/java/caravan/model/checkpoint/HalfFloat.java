package caravan.model.checkpoint;

/** IEEE 754 half precision: 1 sign bit, 5 exponent bits, 10 fraction bits. */
final class HalfFloat {
  private HalfFloat() {}

  /** The float of the same value; infinities, NaN and subnormal numbers included. */
  static float toFloat(short bits) {
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
  static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude >= 65520) {
      return (short) (sign | 0x7c00);
    }
    // Adding a number whose last fraction bit is the half's last one rounds as IEEE 754 asks.
    int exponent = Math.max(Math.getExponent(magnitude), -14);
    float unit = Math.scalb(1f, exponent - 10);
    int steps = (int) Math.rint((double) magnitude / unit);
    return (short) (sign | (exponent + 14 << 10) + steps);
  }
}
