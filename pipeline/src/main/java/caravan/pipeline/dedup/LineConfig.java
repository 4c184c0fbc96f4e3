package caravan.pipeline.dedup;

import java.io.Serializable;

/**
 * Settings of {@link RepeatedLines}; {@code conf/reference.conf} holds their defaults.
 *
 * @param action what becomes of lines that several documents have
 * @param unit what is compared
 * @param minDocuments different documents that a line must be in, 2 to 1,000,000
 * @param minUnits shorter lines are left alone, in units (a Han character, a word of other letters
 *     and digits), 1 to 10,000
 * @param keep which occurrence stays
 * @param maxRemovedFraction a document that would lose a larger share of its characters is dropped,
 *     above 0 and at most 1
 */
public record LineConfig(
    RepeatAction action,
    Unit unit,
    int minDocuments,
    int minUnits,
    Keep keep,
    double maxRemovedFraction)
    implements Serializable {
  private static final String PREFIX = "dedup.lines.";

  /** What is compared. */
  public enum Unit {
    /** What line feeds separate. */
    LINE,
    /** What empty lines separate. */
    PARAGRAPH
  }

  /** Which occurrence of a line stays. */
  public enum Keep {
    /** The first one. */
    FIRST,
    /** None. */
    NONE
  }

  public LineConfig {
    Range.check(PREFIX + "min-documents", minDocuments, 2, 1_000_000);
    Range.check(PREFIX + "min-units", minUnits, 1, 10_000);
    Range.checkFraction(PREFIX + "max-removed-fraction", maxRemovedFraction);
  }

  /** What edits and drops of this step are called. */
  String reason() {
    return unit == Unit.LINE ? "repeated_line" : "repeated_paragraph";
  }
}
