package caravan.pipeline.dedup;

import caravan.pipeline.dedup.DedupConfig.Survivor;
import java.util.List;

final class TestConfig {
  private TestConfig() {}

  /** 5-grams, 20 bands of 6 rows and 10 diagonals; chains of any length. */
  static DedupConfig dedup(double minimumSimilarity, int window, List<String> sources) {
    return dedup(minimumSimilarity, 0, window, sources);
  }

  static DedupConfig dedup(
      double minimumSimilarity, double toSurvivor, int window, List<String> sources) {
    List<Survivor> survivor = List.of(Survivor.LONGEST, Survivor.SOURCE);
    return new DedupConfig(
        5, 20, 6, 10, minimumSimilarity, toSurvivor, window, survivor, sources, "date");
  }
}
