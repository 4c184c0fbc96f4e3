package caravan.model.train;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Arithmetic on slices: byte arrays of little-endian floats, whose lengths are multiples of 4. */
final class SliceArithmetic {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int WIDTH = SPECIES.length() * Float.BYTES;
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  private SliceArithmetic() {}

  /** sum += weight · values; a product and a sum, rounded each, as Java's own. */
  static void add(byte[] sum, byte[] values, float weight) {
    int vectorEnd = sum.length - sum.length % WIDTH;
    for (int at = 0; at < vectorEnd; at += WIDTH) {
      FloatVector.fromByteArray(SPECIES, sum, at, ORDER)
          .add(FloatVector.fromByteArray(SPECIES, values, at, ORDER).mul(weight))
          .intoByteArray(sum, at, ORDER);
    }
    for (int at = vectorEnd; at < sum.length; at += Float.BYTES) {
      put(sum, at, get(sum, at) + weight * get(values, at));
    }
  }

  /** values /= divisor. */
  static void divide(byte[] values, float divisor) {
    int vectorEnd = values.length - values.length % WIDTH;
    for (int at = 0; at < vectorEnd; at += WIDTH) {
      FloatVector.fromByteArray(SPECIES, values, at, ORDER)
          .div(divisor)
          .intoByteArray(values, at, ORDER);
    }
    for (int at = vectorEnd; at < values.length; at += Float.BYTES) {
      put(values, at, get(values, at) / divisor);
    }
  }

  static float get(byte[] bytes, int at) {
    return Float.intBitsToFloat(
        bytes[at] & 0xff
            | (bytes[at + 1] & 0xff) << 8
            | (bytes[at + 2] & 0xff) << 16
            | bytes[at + 3] << 24);
  }

  static void put(byte[] bytes, int at, float value) {
    int bits = Float.floatToRawIntBits(value);
    bytes[at] = (byte) bits;
    bytes[at + 1] = (byte) (bits >> 8);
    bytes[at + 2] = (byte) (bits >> 16);
    bytes[at + 3] = (byte) (bits >> 24);
  }
}
