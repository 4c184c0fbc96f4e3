package caravan.pipeline.text;

import java.util.Locale;
import java.util.Optional;

/**
 * Why a document goes.
 *
 * @param reason a name such as {@code too_short}: lower case, digits and underscores
 * @param detail what was measured and what was wanted: {@code 12 code points, minimum 50}
 */
public record Drop(String reason, String detail) {
  public Drop {
    if (!reason.matches("[a-z0-9_]+")) {
      throw new IllegalArgumentException(
          "drop reason: got " + reason + ", wanted lower-case letters, digits and underscores");
    }
  }

  /** A drop when {@code value} is below {@code minimum}. */
  static Optional<Drop> below(String reason, double value, double minimum, String unit) {
    return value < minimum
        ? Optional.of(new Drop(reason, number(value) + unit + ", minimum " + number(minimum)))
        : Optional.empty();
  }

  /** A drop when {@code value} is above {@code maximum}. */
  static Optional<Drop> above(String reason, double value, double maximum, String unit) {
    return value > maximum
        ? Optional.of(new Drop(reason, number(value) + unit + ", maximum " + number(maximum)))
        : Optional.empty();
  }

  private static String number(double value) {
    return value == Math.rint(value)
        ? String.format(Locale.ROOT, "%d", (long) value)
        : String.format(Locale.ROOT, "%.3f", value);
  }
}
