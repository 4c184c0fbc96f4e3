package caravan.model.engine;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How a matrix's elements lie in memory. */
public enum WeightType {
  /** Floats, rows without gaps. */
  F32(1),
  /** The upper half of a float, rounded to nearest even; relative error up to 2^−9. */
  BF16(64),
  /**
   * GGUF's Q8_0, unpacked: blocks of 32 elements of a row as signed bytes and one scale, the
   * largest magnitude / 127; error up to half a scale. Bytes and scales (floats) lie apart.
   */
  Q8_0(64);

  /** Elements of a Q8_0 block. */
  static final int BLOCK = 32;

  /** Rows are padded with zeros to a multiple of this many elements. */
  private final int padding;

  WeightType(int padding) {
    this.padding = padding;
  }

  int stride(int cols) {
    return (cols + padding - 1) / padding * padding;
  }

  /** Bytes of a matrix. */
  public long bytes(long rows, int cols) {
    long elements = rows * stride(cols);
    return switch (this) {
      case F32 -> elements * Float.BYTES;
      case BF16 -> elements * Short.BYTES;
      case Q8_0 -> elements + elements / BLOCK * Float.BYTES;
    };
  }

  /** As configurations name it: f32, bf16, q8_0. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  public static List<String> keys() {
    return Arrays.stream(values()).map(WeightType::key).toList();
  }
}
