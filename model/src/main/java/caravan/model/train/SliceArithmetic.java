package caravan.model.train;

import caravan.model.engine.VectorApi;
import java.util.List;

/** Arithmetic on slices: byte arrays of little-endian floats, whose lengths are multiples of 4. */
final class SliceArithmetic {
  private static final boolean VECTORS = VectorApi.isPresent();

  /** Bytes of a sum that stay in a processor's cache while the workers' values are added. */
  private static final int BLOCK = 1 << 16;

  private SliceArithmetic() {}

  /**
   * The workers' mean, in place of the first one's values: from 0 on each worker's product is
   * added, then the sum divided; every operation is rounded by itself, as Java's own.
   */
  static void mean(List<byte[]> values, MeanWeights weights) {
    byte[] mean = values.get(0);
    for (int from = 0; from < mean.length; from += BLOCK) {
      int to = Math.min(mean.length, from + BLOCK);
      scale(mean, from, to, weights.weights()[0]);
      for (int i = 1; i < values.size(); i++) {
        add(mean, values.get(i), from, to, weights.weights()[i]);
      }
      if (weights.divisor() != 1) {
        divide(mean, from, to, weights.divisor());
      }
    }
  }

  /** sum += values. */
  static void add(byte[] sum, byte[] values) {
    add(sum, values, 0, sum.length, 1);
  }

  /** values = 0 + weight · values: what was -0 is 0. */
  private static void scale(byte[] values, int from, int to, float weight) {
    int vectorEnd = VECTORS ? SliceVectors.scale(values, from, to, weight) : from;
    for (int at = vectorEnd; at < to; at += Float.BYTES) {
      put(values, at, 0f + weight * get(values, at));
    }
  }

  /** sum += weight · values. */
  private static void add(byte[] sum, byte[] values, int from, int to, float weight) {
    int vectorEnd = VECTORS ? SliceVectors.add(sum, values, from, to, weight) : from;
    for (int at = vectorEnd; at < to; at += Float.BYTES) {
      put(sum, at, get(sum, at) + weight * get(values, at));
    }
  }

  /** values /= divisor. */
  private static void divide(byte[] values, int from, int to, float divisor) {
    int vectorEnd = VECTORS ? SliceVectors.divide(values, from, to, divisor) : from;
    for (int at = vectorEnd; at < to; at += Float.BYTES) {
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
