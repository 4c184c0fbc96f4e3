package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Cuts a text into segments, the longest runs that pieces may lie in: an English word with the
 * space before it, a run of Chinese between two punctuation marks, a run of punctuation. Learning
 * needs only the distinct segments and how often each occurs.
 */
final class SegmentSplitter implements Serializable {
  /** A longer run is cut: it is no language, and would be a segment of its own anyway. */
  static final int MAX_SEGMENT_CHARS = 4096;

  private static final long serialVersionUID = 1;

  private final PieceRules rules;

  /** Matches user-defined symbols, which are pieces already; null without any. */
  private final Pattern symbols;

  SegmentSplitter(PieceRules rules, List<String> userDefinedSymbols) {
    this.rules = rules;
    this.symbols =
        userDefinedSymbols.isEmpty()
            ? null
            : Pattern.compile(
                userDefinedSymbols.stream()
                    .sorted(Comparator.comparing(String::length).reversed())
                    .map(Pattern::quote)
                    .collect(Collectors.joining("|")));
  }

  /**
   * @param text a document, or any part that is encoded by itself: it gets the space that encoding
   *     puts before a text
   * @param sink receives each segment, spaces as {@code ▁}; single characters too
   */
  void split(String text, Consumer<String> sink) {
    if (text.isEmpty()) return;
    String spaced = "\u2581" + text.replace(' ', '\u2581');
    if (symbols == null) splitRun(spaced, sink);
    else symbols.splitAsStream(spaced).forEach(part -> splitRun(part, sink));
  }

  private void splitRun(String text, Consumer<String> sink) {
    int start = 0;
    int previous = -1;
    for (int i = 0; i < text.length(); ) {
      int character = text.codePointAt(i);
      boolean in = PieceRules.mayBeInPiece(character);
      boolean joins =
          previous >= 0
              && in
              && rules.mayJoin(previous, character)
              && i - start < MAX_SEGMENT_CHARS;
      if (!joins) {
        if (previous >= 0) sink.accept(text.substring(start, i));
        start = i;
      }
      previous = in ? character : -1;
      i += Character.charCount(character);
    }
    if (previous >= 0) sink.accept(text.substring(start));
  }
}
