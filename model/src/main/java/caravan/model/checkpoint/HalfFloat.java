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
}
