package caravan.pipeline.text;

import java.util.List;
import java.util.Optional;

/**
 * Removes lines in other languages from pages of several. A line goes when it is long enough and
 * its language sure enough; lines without letters stay.
 *
 * @param keep languages whose lines stay: zh, en, other
 * @param minCharacters shortest line that may go, in code points
 * @param minConfidence of the language, above 0 to 1; lines without letters have 0
 */
public record LanguageLines(List<String> keep, int minCharacters, double minConfidence)
    implements LineRule {
  public static final String REASON = "other_language_line";
  private static final LanguageDetector DETECTOR = new LanguageDetector();

  public LanguageLines {
    keep = List.copyOf(keep);
    Rule.checkNotNegative("min-characters", minCharacters);
    Rule.checkFraction("min-confidence", minConfidence);
    List<String> all =
        List.of(LanguageDetector.CHINESE, LanguageDetector.ENGLISH, LanguageDetector.OTHER);
    if (keep.isEmpty() || !all.containsAll(keep)) {
      throw new IllegalArgumentException(
          "language-lines.keep: got " + keep + ", wanted one or more of zh, en and other");
    }
  }

  @Override
  public Optional<String> removal(Lines lines, int line) {
    int start = lines.start(line);
    int end = lines.end(line);
    if (end - start < minCharacters || lines.characters(line) < minCharacters) {
      return Optional.empty();
    }
    LanguageDetector.Guess guess = DETECTOR.guess(lines.text(), start, end);
    boolean goes = !keep.contains(guess.language()) && guess.confidence() >= minConfidence;
    return goes ? Optional.of(REASON) : Optional.empty();
  }
}
