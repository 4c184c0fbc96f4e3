package caravan.pipeline.tokenize;

/** Checks that the settings of learning and of extending a vocabulary share. */
final class LearningLimits {
  static final int MAX_VOCABULARY = 1_000_000;

  private LearningLimits() {}

  /**
   * @param section of the configuration, for error messages
   */
  static void check(
      String section, double characterCoverage, int maxPieceLength, long maxSegmentCharacters) {
    require(
        characterCoverage >= 0.98 && characterCoverage <= 1,
        section + ".character-coverage",
        characterCoverage,
        "0.98 to 1");
    require(
        maxPieceLength >= 1 && maxPieceLength <= 512,
        section + ".max-piece-length",
        maxPieceLength,
        "1 to 512");
    require(
        maxSegmentCharacters >= 1000,
        section + ".max-segment-characters",
        maxSegmentCharacters,
        "at least 1000");
  }

  /**
   * @throws IllegalArgumentException unless the condition holds
   */
  static void require(boolean holds, String key, Object got, String wanted) {
    if (!holds) throw new IllegalArgumentException(key + ": got " + got + ", wanted " + wanted);
  }
}
