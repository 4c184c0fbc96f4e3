package caravan.model.engine.cuda;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What the GPU computes in. Master weights, gradients of weights, moments and every sum are fp32 in
 * all of them.
 */
public enum Precision {
  /** Activations and a copy of the weights in bf16, products by tensor cores. */
  BF16(2),
  /** Everything stored in fp32, products with inputs rounded to 10 bits of mantissa. */
  TF32(4),
  /** Everything in fp32, products without tensor cores: for comparisons. */
  FP32(4);

  private final int bytes;

  Precision(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one activation. */
  int bytes() {
    return bytes;
  }

  boolean half() {
    return this == BF16;
  }

  /**
   * @throws IllegalArgumentException when there is none of that name
   */
  public static Precision named(String name) {
    return Arrays.stream(values())
        .filter(p -> p.name().toLowerCase(Locale.ROOT).equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "train.precision: got "
                        + name
                        + ", wanted one of "
                        + Arrays.stream(values())
                            .map(p -> p.name().toLowerCase(Locale.ROOT))
                            .collect(Collectors.joining(", "))));
  }
}
