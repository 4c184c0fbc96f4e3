package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
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

  /** The splitter of a configuration's pieces. */
  static SegmentSplitter of(TokenizerConfig config) {
    return new SegmentSplitter(
        new PieceRules(config.maxPieceLength(), config.splitDigits()), config.userDefinedSymbols());
  }

  /**
   * @param text a document, or any part that is encoded by itself: it gets the space that encoding
   *     puts before a text
   * @param sink receives each segment, spaces as {@code ▁}; single characters too
   */
  void split(String text, Consumer<String> sink) {
    if (text.isEmpty()) return;
    Spaced spaced = new Spaced(text);
    if (symbols == null) {
      splitRun(spaced, 0, spaced.length(), sink);
      return;
    }
    Matcher matcher = symbols.matcher(spaced);
    int start = 0;
    while (matcher.find()) {
      splitRun(spaced, start, matcher.start(), sink);
      start = matcher.end();
    }
    splitRun(spaced, start, spaced.length(), sink);
  }

  private void splitRun(Spaced text, int from, int to, Consumer<String> sink) {
    int start = from;
    int previous = -1;
    for (int i = from; i < to; ) {
      int character = Character.codePointAt(text, i);
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
    if (previous >= 0) sink.accept(text.substring(start, to));
  }

  /** A text as pieces see it: a space before it, and all spaces as {@code ▁}; without a copy. */
  private record Spaced(String text) implements CharSequence {
    private static final char SPACE = PieceRules.SPACE;

    @Override
    public int length() {
      return text.length() + 1;
    }

    @Override
    public char charAt(int index) {
      if (index == 0) return SPACE;
      char c = text.charAt(index - 1);
      return c == ' ' ? SPACE : c;
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return substring(start, end);
    }

    /** Spaces stand first in a segment only, or are all of it. */
    String substring(int start, int end) {
      if (charAt(start) != SPACE) return text.substring(start - 1, end - 1);
      char[] chars = new char[end - start];
      for (int i = start; i < end; i++) chars[i - start] = charAt(i);
      return new String(chars);
    }

    @Override
    public String toString() {
      return substring(0, length());
    }
  }
}
