package caravan.pipeline.dedup;

import java.io.Serializable;
import java.util.HashSet;
import java.util.List;

/**
 * Settings of {@link DedupStage}; {@code conf/reference.conf} holds their defaults.
 *
 * @param shingleUnits units (a Han character, a Latin word) per shingle, 1 to 100
 * @param bands LSH bands, 1 to 1000
 * @param rowsPerBand MinHash values per band, 1 to 100
 * @param diagonalBands further bands made of the same values, 0 to {@code bands}; see {@link
 *     LshBands}
 * @param minimumSimilarity exact Jaccard similarity from which two documents are near duplicates,
 *     above 0 and at most 1
 * @param minimumSurvivorSimilarity least exact Jaccard similarity of a dropped document to the one
 *     that stays, 0 to {@code minimumSimilarity}: how far a chain of near duplicates reaches
 * @param bucketWindow a bucket of up to this many members plus one is compared in full, 1 to 10,000
 * @param survivor what decides which document of a cluster stays, most important first
 * @param sourcePriority sources to prefer, most preferred first; a source that is not named comes
 *     after all that are
 * @param dateField field of {@code meta} that {@link Survivor#EARLIEST} compares
 * @param lines lines and paragraphs that several documents have
 * @param substrings passages that several documents have
 */
public record DedupConfig(
    int shingleUnits,
    int bands,
    int rowsPerBand,
    int diagonalBands,
    double minimumSimilarity,
    double minimumSurvivorSimilarity,
    int bucketWindow,
    List<Survivor> survivor,
    List<String> sourcePriority,
    String dateField,
    LineConfig lines,
    SubstringConfig substrings)
    implements Serializable {

  /** A reason to prefer a document of a cluster. */
  public enum Survivor {
    /** The one of most code points. */
    LONGEST,
    /** The one whose source comes first in {@link DedupConfig#sourcePriority}. */
    SOURCE,
    /**
     * The one with the smallest {@link DedupConfig#dateField}, compared as text, as fits ISO dates;
     * those without come last.
     */
    EARLIEST
  }

  public DedupConfig {
    Range.check("dedup.shingle-units", shingleUnits, 1, 100);
    Range.check("dedup.bands", bands, 1, 1000);
    Range.check("dedup.rows-per-band", rowsPerBand, 1, 100);
    Range.check("dedup.diagonal-bands", diagonalBands, 0, bands);
    Range.check("dedup.bucket-window", bucketWindow, 1, 10_000);
    if (!(minimumSimilarity > 0 && minimumSimilarity <= 1)) {
      throw new IllegalArgumentException(
          "dedup.minimum-similarity: got "
              + minimumSimilarity
              + ", wanted a Jaccard similarity above 0 and at most 1, such as 0.7");
    }
    if (!(minimumSurvivorSimilarity >= 0 && minimumSurvivorSimilarity <= minimumSimilarity)) {
      throw new IllegalArgumentException(
          "dedup.minimum-survivor-similarity: got "
              + minimumSurvivorSimilarity
              + ", wanted 0 (no bound) to dedup.minimum-similarity, "
              + minimumSimilarity);
    }
    survivor = List.copyOf(survivor);
    once("survivor", survivor, "rule");
    sourcePriority = List.copyOf(sourcePriority);
    once("source-priority", sourcePriority, "source");
    if (survivor.contains(Survivor.EARLIEST) && dateField.isBlank()) {
      throw new IllegalArgumentException(
          "dedup.date-field: got nothing, wanted the field of meta that tells what is earliest;"
              + " set it or take earliest out of dedup.survivor");
    }
  }

  /** Whether text that several documents have is looked for. */
  public boolean seeksRepeats() {
    return lines.action() != RepeatAction.OFF || substrings.action() != RepeatAction.OFF;
  }

  private static void once(String key, List<?> values, String what) {
    if (new HashSet<>(values).size() < values.size()) {
      throw new IllegalArgumentException(
          "dedup."
              + key
              + ": got "
              + values
              + ", wanted each "
              + what
              + " once; remove the second mention");
    }
  }
}
