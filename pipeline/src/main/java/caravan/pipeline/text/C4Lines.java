package caravan.pipeline.text;

import java.util.Optional;

/**
 * The line rules of C4 (Raffel et al. 2020, arXiv 1910.10683, section 2.2, and its reference code's
 * long words and policy phrases): what a page says that is no text. FineWeb (arXiv 2406.17557) uses
 * them without the terminal punctuation, which costs a third of the text.
 *
 * @param terminalPunctuation whether lines that end neither with {@code .!?"'} (or their Chinese
 *     forms) nor otherwise than with an ellipsis go
 * @param minWords fewest words of a line, between white space; a Chinese character is one
 * @param maxWordCharacters longest word between white space, in code points
 * @param scripts what names a script, wherever it stands in the line: {@code javascript}
 * @param policies phrases of policies and terms, wherever they stand
 */
public record C4Lines(
    boolean terminalPunctuation,
    int minWords,
    int maxWordCharacters,
    Phrases scripts,
    Phrases policies)
    implements LineRule {
  private static final String TERMINAL = ".!?\"'。！？”’．｡」』";

  public C4Lines {
    Rule.checkNotNegative("min-words", minWords);
    Rule.checkNotNegative("max-word-characters", maxWordCharacters);
  }

  @Override
  public Optional<String> removal(Lines lines, int line) {
    String text = lines.text();
    int start = lines.start(line);
    int end = lines.end(line);
    Tokens tokens = new Tokens(text, start, end);
    if (tokens.longest > maxWordCharacters) {
      return Optional.of("line_long_word");
    }
    if (terminalPunctuation
        && (TERMINAL.indexOf(lines.lastChar(line)) < 0 || lines.breaksOff(line))) {
      return Optional.of("line_unterminated");
    }
    if (tokens.count < minWords) {
      return Optional.of("line_few_words");
    }
    if (scripts.occursIn(text, start, end)) {
      return Optional.of("line_javascript");
    }
    return policies.occursIn(text, start, end) ? Optional.of("line_policy") : Optional.empty();
  }

  /** What white space and Chinese characters divide a line into. */
  private static final class Tokens {
    int count;
    int longest;

    Tokens(String text, int start, int end) {
      int length = 0;
      for (int i = start; i < end; ) {
        int c = text.codePointAt(i);
        i += Character.charCount(c);
        boolean single = Scripts.isHan(c) || Scripts.isKana(c);
        if (single || Scripts.isSpace(c)) {
          count += single ? 1 : 0;
          length = 0;
        } else {
          count += length == 0 ? 1 : 0;
          longest = Math.max(longest, ++length);
        }
      }
    }
  }
}
