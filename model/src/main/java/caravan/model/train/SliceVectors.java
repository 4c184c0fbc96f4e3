package caravan.model.train;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link SliceArithmetic} by vectors, in a class that is loaded only where Java offers them. Each
 * loop takes whole vectors and returns where it ended.
 */
final class SliceVectors {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  private static final int WIDTH = SPECIES.length() * Float.BYTES;
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  private SliceVectors() {}

  /** values = 0 + weight · values. */
  static int scale(byte[] values, int from, int to, float weight) {
    int end = to - (to - from) % WIDTH;
    for (int at = from; at < end; at += WIDTH) {
      FloatVector.fromByteArray(SPECIES, values, at, ORDER)
          .mul(weight)
          .add(0f)
          .intoByteArray(values, at, ORDER);
    }
    return end;
  }

  /** sum += weight · values. */
  static int add(byte[] sum, byte[] values, int from, int to, float weight) {
    int end = to - (to - from) % WIDTH;
    for (int at = from; at < end; at += WIDTH) {
      FloatVector.fromByteArray(SPECIES, sum, at, ORDER)
          .add(FloatVector.fromByteArray(SPECIES, values, at, ORDER).mul(weight))
          .intoByteArray(sum, at, ORDER);
    }
    return end;
  }

  /** values /= divisor. */
  static int divide(byte[] values, int from, int to, float divisor) {
    int end = to - (to - from) % WIDTH;
    for (int at = from; at < end; at += WIDTH) {
      FloatVector.fromByteArray(SPECIES, values, at, ORDER)
          .div(divisor)
          .intoByteArray(values, at, ORDER);
    }
    return end;
  }
}
