package caravan.pipeline.text;

import java.io.Serializable;
import java.util.Optional;

/**
 * A rule that looks at one document's text and keeps it or drops it with a reason. A rule is a
 * record whose components are its thresholds; which thresholds apply is decided by the document's
 * language, outside of the rule. Shares are fractions between 0 and 1.
 *
 * <p>To add a rule: write its record, permit it here, add it to {@code LanguageRules}, give its
 * defaults in reference.conf, and test it.
 */
public sealed interface TextFilter extends Serializable
    permits LengthFilter, GopherQualityFilter, GopherRepetitionFilter, FineWebQualityFilter {

  /** Why the text is dropped; empty when it is kept. */
  Optional<Drop> check(Words words);

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
}
