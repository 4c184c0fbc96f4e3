package caravan.pipeline.text;

import java.util.Optional;

/**
 * Removes what a web page says around its text: lines of navigation (阅读全文, 上一篇, 版权所有, Share on …)
 * and of advertising (加微信 …). A line goes when it is short and holds one of the phrases; a long one
 * is more likely to be about them. Without a paper; the lists are in reference.conf.
 *
 * @param maxCharacters longest line that may go, in code points
 * @param navigation phrases of navigation, imprints and sharing
 * @param advertising phrases of advertising
 */
public record PageLines(int maxCharacters, Phrases navigation, Phrases advertising)
    implements LineRule {
  public static final String NAVIGATION = "line_navigation";
  public static final String ADVERTISING = "line_advertising";

  public PageLines {
    Rule.checkNotNegative("max-characters", maxCharacters);
  }

  @Override
  public Optional<String> removal(Lines lines, int line) {
    if (lines.characters(line) > maxCharacters) {
      return Optional.empty();
    }
    int start = lines.start(line);
    int end = lines.end(line);
    if (navigation.indexOfWord(lines.text(), start, end) >= 0) {
      return Optional.of(NAVIGATION);
    }
    return advertising.indexOfWord(lines.text(), start, end) >= 0
        ? Optional.of(ADVERTISING)
        : Optional.empty();
  }
}
