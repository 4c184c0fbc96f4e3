package caravan.pipeline.text;

import java.util.List;
import java.util.Optional;

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
    TextFilter.checkFraction("min-terminated-lines", minTerminatedLines);
    TextFilter.checkFraction("max-short-lines", maxShortLines);
    TextFilter.checkRange("short-line-characters", 0, shortLineCharacters);
    TextFilter.checkFraction("max-duplicate-line-characters", maxDuplicateLineCharacters);
    TextFilter.checkRange("line-breaks-per-word", 0, maxLineBreaksPerWord);
  }

  @Override
  public Optional<Drop> check(Words words) {
    String text = words.text();
    List<String> lines = Lines.lines(text);
    if (lines.isEmpty()) {
      return Optional.of(new Drop("empty", "no line with text on it"));
    }
    double count = lines.size();
    long terminated =
        lines.stream().filter(l -> TERMINAL.indexOf(l.charAt(l.length() - 1)) >= 0).count();
    long shortOnes =
        lines.stream().filter(l -> l.codePointCount(0, l.length()) <= shortLineCharacters).count();
    long breaks = text.chars().filter(c -> c == '\n').count();
    double repeated =
        (double) Lines.repeated(lines).characters() / Math.max(1, words.characters() - breaks);
    double perWord = (double) breaks / Math.max(1, words.count());
    return Drop.below("unterminated_lines", terminated / count, minTerminatedLines, " of lines")
        .or(() -> Drop.above("short_lines", shortOnes / count, maxShortLines, " of lines"))
        .or(() -> repeatedLines(repeated))
        .or(() -> Drop.above("list_like", perWord, maxLineBreaksPerWord, " breaks per word"));
  }

  private Optional<Drop> repeatedLines(double share) {
    return Drop.above("repeated_lines", share, maxDuplicateLineCharacters, " of the text");
  }
}
