package caravan.pipeline.dedup;

/** Checks of settings. */
final class Range {
  private Range() {}

  static void check(String key, int value, int minimum, int maximum) {
    if (value < minimum || value > maximum) {
      throw new IllegalArgumentException(
          "%s: got %d, wanted a number from %d to %d".formatted(key, value, minimum, maximum));
    }
  }

  static void checkFraction(String key, double value) {
    if (!(value > 0 && value <= 1)) {
      throw new IllegalArgumentException(
          "%s: got %s, wanted a fraction above 0 and at most 1, such as 0.8".formatted(key, value));
    }
  }
}
