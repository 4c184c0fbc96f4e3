package caravan.model.train;

import caravan.model.checkpoint.HalfFloat;
import java.util.Locale;

/**
 * What parameters are exchanged as: themselves, or in 16 bits by how much a round changed them, as
 * the outer gradients of Streaming DiLoCo (Douillard et al., arXiv 2501.18512, section 2.3), which
 * sends 4 bits. Parameters themselves stay float32: the mean of the changes is added to what the
 * round began with.
 */
enum ExchangePrecision {
  FP32 {
    @Override
    short encode(float change) {
      throw new UnsupportedOperationException("float32 is not encoded");
    }

    @Override
    float decode(short bits) {
      throw new UnsupportedOperationException("float32 is not encoded");
    }
  },
  BF16 {
    @Override
    short encode(float change) {
      int bits = Float.floatToRawIntBits(change);
      return (short) (bits + HALF_OF_LOWER + (bits >>> 16 & 1) >>> 16);
    }

    @Override
    float decode(short bits) {
      return Float.intBitsToFloat(bits << 16);
    }
  },
  FP16 {
    @Override
    float scale(float largest) {
      if (largest == 0 || !Float.isFinite(largest)) {
        return 1;
      }
      int exponent = LARGEST_EXPONENT - Math.getExponent(largest);
      return Math.scalb(1f, Math.min(exponent, Float.MAX_EXPONENT));
    }

    @Override
    short encode(float change) {
      return HalfFloat.fromFloat(change);
    }

    @Override
    float decode(short bits) {
      return HalfFloat.toFloat(bits);
    }
  };

  private static final int HALF_OF_LOWER = 0x7fff;

  /** Of halves is 15; rounding may reach the next one. */
  private static final int LARGEST_EXPONENT = 14;

  /** The setting's. */
  static ExchangePrecision of(TrainConfig config) {
    return valueOf(config.exchangePrecision().toUpperCase(Locale.ROOT));
  }

  /** Whether the round's change is what is exchanged. */
  boolean isOfChanges() {
    return this != FP32;
  }

  /**
   * A power of two by which a slice's changes are multiplied before they are encoded, so that they
   * lie where the format is exact.
   *
   * @param largest magnitude among them
   */
  float scale(float largest) {
    return 1;
  }

  /** The nearest number of the format, of two equally near the one with an even last bit. */
  abstract short encode(float change);

  abstract float decode(short bits);
}
