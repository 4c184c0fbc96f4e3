package caravan.pipeline.text;

import java.io.Serializable;

/**
 * Something that cleaning does to a text, by its own settings: a {@link TextFilter} keeps or drops
 * the document, a {@link TextEdit} takes something out of it. A rule is a record whose components
 * are its settings; which settings apply is decided by the document's language, outside of the
 * rule. Shares are fractions between 0 and 1.
 *
 * <p>To add a rule: write its record, permit it in its interface, add it to {@code LanguageRules},
 * give its defaults in reference.conf, and test it.
 */
public sealed interface Rule extends Serializable permits TextFilter, TextEdit {

  /**
   * @throws IllegalArgumentException when the threshold is not a fraction between 0 and 1
   */
  static void checkFraction(String name, double value) {
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException(name + ": got " + value + ", wanted 0 to 1");
    }
  }

  /**
   * @throws IllegalArgumentException when 0 ≤ minimum ≤ maximum does not hold
   */
  static void checkRange(String name, double minimum, double maximum) {
    if (!(0 <= minimum && minimum <= maximum)) {
      throw new IllegalArgumentException(
          "min-%s and max-%s: got %s and %s, wanted 0 ≤ min ≤ max"
              .formatted(name, name, minimum, maximum));
    }
  }

  /**
   * @throws IllegalArgumentException when the threshold is negative
   */
  static void checkNotNegative(String name, double value) {
    if (!(value >= 0)) {
      throw new IllegalArgumentException(name + ": got " + value + ", wanted 0 or more");
    }
  }
}
