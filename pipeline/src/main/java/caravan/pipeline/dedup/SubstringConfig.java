package caravan.pipeline.dedup;

import java.io.Serializable;

/**
 * Settings of {@link RepeatedPassages}; {@code conf/reference.conf} holds their defaults.
 *
 * @param action what becomes of passages that occur repeatedly
 * @param minUnits shortest passage, in units (a Han character, a word of other letters and digits),
 *     10 to 10,000
 * @param minDocuments different documents that a passage must be in, 2 to 1,000,000
 * @param withinDocuments whether a passage also counts that occurs twice in one document alone
 * @param maxRemovedFraction a document that would lose a larger share of its characters is dropped,
 *     above 0 and at most 1
 */
public record SubstringConfig(
    RepeatAction action,
    int minUnits,
    int minDocuments,
    boolean withinDocuments,
    double maxRemovedFraction)
    implements Serializable {
  private static final String PREFIX = "dedup.substrings.";

  public SubstringConfig {
    Range.check(PREFIX + "min-units", minUnits, 10, 10_000);
    Range.check(PREFIX + "min-documents", minDocuments, 2, 1_000_000);
    Range.checkFraction(PREFIX + "max-removed-fraction", maxRemovedFraction);
  }
}
