package caravan.pipeline.text;

import java.util.Optional;

/**
 * Removes what a web page says around its text: lines of navigation (阅读全文, 上一篇, 版权所有, Share on …)
 * and of advertising (加微信 …). A line goes when it is short and begins with one of the phrases, or
 * holds one and is no sentence: it ends without a full stop or question mark. A long line, or a
 * sentence, is more likely to be about such things. Without a paper; the lists are in
 * reference.conf.
 *
 * @param maxCharacters longest line that may go, in code points
 * @param navigation phrases of navigation, imprints and sharing
 * @param advertising phrases of advertising
 */
public record PageLines(int maxCharacters, Phrases navigation, Phrases advertising)
    implements LineRule {
  public static final String NAVIGATION = "line_navigation";
  public static final String ADVERTISING = "line_advertising";
  private static final String SENTENCE_ENDS = "。？.?；;，,";

  public PageLines {
    Rule.checkNotNegative("max-characters", maxCharacters);
  }

  @Override
  public Optional<String> removal(Lines lines, int line) {
    if (lines.characters(line) > maxCharacters) {
      return Optional.empty();
    }
    if (says(navigation, lines, line)) {
      return Optional.of(NAVIGATION);
    }
    return says(advertising, lines, line) ? Optional.of(ADVERTISING) : Optional.empty();
  }

  private static boolean says(Phrases phrases, Lines lines, int line) {
    int at = phrases.indexOfWord(lines.text(), lines.start(line), lines.end(line));
    return at == lines.start(line) || at > 0 && SENTENCE_ENDS.indexOf(lines.lastChar(line)) < 0;
  }
}
