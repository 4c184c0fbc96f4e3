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
    return dedup(minimumSimilarity, toSurvivor, window, survivor, sources, "date");
  }

  static DedupConfig dedup(
      double minimumSimilarity,
      double toSurvivor,
      int window,
      List<Survivor> survivor,
      List<String> sources,
      String dateField) {
    return new DedupConfig(
        5,
        20,
        6,
        10,
        minimumSimilarity,
        toSurvivor,
        window,
        survivor,
        sources,
        dateField,
        lines(RepeatAction.OFF, 2),
        substrings(RepeatAction.OFF, false));
  }

  /** Lines of at least 10 units; the first one stays; at most four fifths of a document go. */
  static LineConfig lines(RepeatAction action, int minDocuments) {
    return new LineConfig(
        action, LineConfig.Unit.LINE, minDocuments, 10, LineConfig.Keep.FIRST, 0.8);
  }

  /** Passages of at least 50 units in two documents; at most four fifths of a document go. */
  static SubstringConfig substrings(RepeatAction action, boolean within) {
    return new SubstringConfig(action, 50, 2, within, 0.8);
  }

  /** Exact and near duplicates as above, and these. */
  static DedupConfig dedup(LineConfig lines, SubstringConfig substrings) {
    DedupConfig c = dedup(0.7, 64, List.of());
    return new DedupConfig(
        c.shingleUnits(),
        c.bands(),
        c.rowsPerBand(),
        c.diagonalBands(),
        c.minimumSimilarity(),
        c.minimumSurvivorSimilarity(),
        c.bucketWindow(),
        c.survivor(),
        c.sourcePriority(),
        c.dateField(),
        lines,
        substrings);
  }
}
