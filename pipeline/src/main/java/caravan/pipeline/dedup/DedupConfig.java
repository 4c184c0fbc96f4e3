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
 * @param minimumSimilarity exact Jaccard similarity from which two documents are near duplicates,
 *     above 0 and at most 1
 * @param bucketWindow a bucket of up to this many members plus one is compared in full, 1 to 10,000
 * @param sourcePriority sources to prefer among texts of equal length, most preferred first; a
 *     source that is not named comes after all that are
 */
public record DedupConfig(
    int shingleUnits,
    int bands,
    int rowsPerBand,
    double minimumSimilarity,
    int bucketWindow,
    List<String> sourcePriority)
    implements Serializable {
  public DedupConfig {
    check("shingle-units", shingleUnits, 100);
    check("bands", bands, 1000);
    check("rows-per-band", rowsPerBand, 100);
    check("bucket-window", bucketWindow, 10_000);
    if (!(minimumSimilarity > 0 && minimumSimilarity <= 1)) {
      throw new IllegalArgumentException(
          "dedup.minimum-similarity: got "
              + minimumSimilarity
              + ", wanted a Jaccard similarity above 0 and at most 1, such as 0.7");
    }
    sourcePriority = List.copyOf(sourcePriority);
    if (new HashSet<>(sourcePriority).size() < sourcePriority.size()) {
      throw new IllegalArgumentException(
          "dedup.source-priority: got "
              + sourcePriority
              + ", wanted each source once; remove the second mention");
    }
  }

  private static void check(String key, int value, int maximum) {
    if (value < 1 || value > maximum) {
      throw new IllegalArgumentException(
          "dedup." + key + ": got " + value + ", wanted a number from 1 to " + maximum);
    }
  }
}
