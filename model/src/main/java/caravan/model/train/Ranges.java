package caravan.model.train;

import java.util.List;

/** Checks of the values of keys under {@code train}; each names its key. */
final class Ranges {
  private Ranges() {}

  static void atLeast(String key, double value, double minimum) {
    if (!(value >= minimum)) {
      throw new IllegalArgumentException(
          "train." + key + ": got " + value + ", wanted at least " + minimum);
    }
  }

  static void below(String key, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(
          "train." + key + ": got " + value + ", wanted a number in [0, 1)");
    }
  }

  static void choice(String key, String value, String... choices) {
    if (!List.of(choices).contains(value)) {
      throw new IllegalArgumentException(
          "train." + key + ": got " + value + ", wanted one of " + String.join(", ", choices));
    }
  }
}
