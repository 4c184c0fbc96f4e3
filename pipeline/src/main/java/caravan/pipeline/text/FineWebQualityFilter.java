package caravan.pipeline.text;

/**
 * The line rules of FineWeb (Penedo et al. 2024, arXiv 2406.17557, section 3.6) with FineWeb2's
 * thresholds for Chinese (Penedo et al. 2025, arXiv 2506.20920): pages of menus, lists and repeated
 * lines go.
 *
 * @param minTerminatedLines share of lines that end with terminal punctuation
 * @param maxShortLines share of lines of at most {@code shortLineCharacters}
 * @param shortLineCharacters code points
 * @param maxDuplicateLineCharacters share of characters, line breaks aside, in lines that came
 *     before
 * @param maxLineBreaksPerWord line breaks per word, as {@link Words} counts them
 */
public record FineWebQualityFilter(
    double minTerminatedLines,
    double maxShortLines,
    int shortLineCharacters,
    double maxDuplicateLineCharacters,
    double maxLineBreaksPerWord)
    implements TextFilter {
  private static final String TERMINAL = ".!?\"'”’。！？…」』．｡";

  public FineWebQualityFilter {
    Rule.checkFraction("min-terminated-lines", minTerminatedLines);
    Rule.checkFraction("max-short-lines", maxShortLines);
    Rule.checkRange("short-line-characters", 0, shortLineCharacters);
    Rule.checkFraction("max-duplicate-line-characters", maxDuplicateLineCharacters);
    Rule.checkRange("line-breaks-per-word", 0, maxLineBreaksPerWord);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    Lines lines = passage.lines();
    if (!judge.atLeast("empty", lines.count(), 1, "lines with text on them")) {
      return false;
    }
    double count = Math.max(1, lines.count());
    Words words = passage.words();
    return judge.atLeast(
            "unterminated_lines", terminated(lines) / count, minTerminatedLines, "of lines")
        && judge.atMost("short_lines", shortOnes(lines) / count, maxShortLines, "of lines")
        && judge.atMost(
            "repeated_lines",
            lines.repeatedCharacters() / Math.max(1.0, words.characters() - words.lineBreaks()),
            maxDuplicateLineCharacters,
            "of the text")
        && judge.atMost(
            "list_like",
            words.lineBreaks() / Math.max(1.0, words.count()),
            maxLineBreaksPerWord,
            "breaks per word");
  }

  private static int terminated(Lines lines) {
    int terminated = 0;
    for (int i = 0; i < lines.count(); i++) {
      terminated += TERMINAL.indexOf(lines.lastChar(i)) >= 0 ? 1 : 0;
    }
    return terminated;
  }

  private int shortOnes(Lines lines) {
    int shortOnes = 0;
    for (int i = 0; i < lines.count(); i++) {
      shortOnes += lines.characters(i) <= shortLineCharacters ? 1 : 0;
    }
    return shortOnes;
  }
}
