package caravan.pipeline.tokenize;

import java.util.Arrays;

/**
 * Encodes texts by byte pair encoding, one thread's share of {@link FastSentencePiece}: walks over
 * a window of the text, cuts it where no piece can join, and merges what lies between, or remembers
 * it. Memory does not grow with the text, but with its longest run without a place to cut: 30 bytes
 * a character of at most {@link SentencePieceTokenizer#MAX_RUN_CHARS}.
 */
final class BpeScanner implements TextEncoder {
  private static final int WINDOW = 1 << 13;
  private static final char SPACE = '\u2581';
  private static final char REPLACEMENT = '\uFFFD';

  private final PieceSymbols vocabulary;
  private final int[] entries;
  private final BpeMerger merger;
  private final RunCache cache = new RunCache();
  private final boolean hasFrozen;
  private final char space;
  private int[] symbols = new int[64];

  private char[] window = new char[WINDOW];
  private String text;
  private int taken;
  private int limit;
  private int start;
  private int at;
  private int before;
  private TokenBuffer ids;

  /**
   * @param space what the prefix and the suffix are
   */
  BpeScanner(PieceSymbols vocabulary, char space) {
    this.vocabulary = vocabulary;
    this.space = space;
    this.hasFrozen = !vocabulary.frozen().isEmpty();
    this.entries = vocabulary.character();
    this.merger = new BpeMerger(vocabulary.merges());
  }

  @Override
  public void encode(String text, boolean prefix, boolean suffix, TokenBuffer ids) {
    this.text = text;
    this.ids = ids;
    taken = 0;
    limit = 0;
    start = 0;
    at = 0;
    before = 0;
    if (prefix) window[limit++] = space;
    // Of what is not the end, the last char may be half a character.
    while (fill(suffix)) scan(taken < text.length() ? limit - 1 : limit);
    encodeRun(start, at);
    this.text = null;
    this.ids = null;
  }

  /** Moves the open run to the window's start and takes more of the text; false at its end. */
  private boolean fill(boolean suffix) {
    if (at - start > 2 * SentencePieceTokenizer.MAX_RUN_CHARS) start = encodeLong(start, at);
    System.arraycopy(window, start, window, 0, limit - start);
    at -= start;
    limit -= start;
    start = 0;
    if (limit > window.length / 2) window = Arrays.copyOf(window, 2 * window.length);
    int more = Math.min(text.length() - taken, window.length - limit - 1);
    text.getChars(taken, taken + more, window, limit);
    taken += more;
    limit += more;
    if (suffix && more > 0 && taken == text.length()) window[limit++] = space;
    return at < limit;
  }

  /** Walks to a place in the window and encodes the runs that end before it. */
  private void scan(int end) {
    int i = at;
    int previous = before;
    while (i < end) {
      int entry = entries[window[i]];
      int next = i + 1;
      if ((entry & previous & PieceSymbols.LETTER) == 0) {
        if (entry < 0) {
          if (entry == PieceSymbols.SPACE) {
            window[i] = SPACE;
            entry = entries[SPACE];
          } else if (entry == PieceSymbols.SURROGATE) {
            entry = surrogate(i);
            if (Character.isHighSurrogate(window[i])) next++;
          }
          if (entry < 0) {
            encodeRun(start, i);
            vocabulary.appendUnknown(Character.codePointAt(window, i, limit), ids);
            start = next;
            entry = 0;
          }
        }
        if (i > start && !vocabulary.mayJoin(previous, entry)) {
          encodeRun(start, i);
          start = i;
        }
      }
      previous = entry;
      i = next;
    }
    at = i;
    before = previous;
  }

  /** The entry of a character that starts with a surrogate; one alone becomes U+FFFD. */
  private int surrogate(int i) {
    int codePoint = Character.codePointAt(window, i, limit);
    if (codePoint > Character.MAX_VALUE) return vocabulary.beyondPlane(codePoint);
    window[i] = REPLACEMENT;
    return entries[REPLACEMENT];
  }

  private void encodeRun(int from, int to) {
    int length = to - from;
    if (length == 0) return;
    if (length == 1) {
      int entry = entries[window[from]];
      if ((entry & PieceSymbols.ONE_ID) != 0) {
        vocabulary.appendIds(entry & PieceSymbols.SYMBOL, ids);
        return;
      }
    }
    if (length > RunCache.MAX_CHARS) {
      merge(length > SentencePieceTokenizer.MAX_RUN_CHARS ? encodeLong(from, to) : from, to);
      return;
    }
    int place = RunCache.place(window, from, to);
    if (cache.appendTo(ids, place, window, from, to)) return;
    int position = ids.size();
    merge(from, to);
    cache.put(place, window, from, to, ids, position);
  }

  /**
   * Encodes the start of a run that is longer than allowed: cuts it where no piece joins, and where
   * the part that is open is as long as allowed. Returns where the last part starts, which is not
   * encoded.
   */
  private int encodeLong(int from, int to) {
    int part = from;
    int length = 0;
    int previous = -1;
    for (int i = from; i < to; ) {
      int codePoint = Character.codePointAt(window, i, to);
      boolean cut =
          previous >= 0
              && (length == SentencePieceTokenizer.MAX_RUN_CHARS
                  || !vocabulary.joins(previous, codePoint));
      if (cut) {
        merge(part, i);
        part = i;
        length = 0;
      }
      length++;
      previous = codePoint;
      i += Character.charCount(codePoint);
    }
    return part;
  }

  private void merge(int from, int to) {
    if (symbols.length < to - from) symbols = new int[Math.max(to - from, 2 * symbols.length)];
    int count = 0;
    for (int i = from; i < to; ) {
      long frozen = hasFrozen ? vocabulary.frozen().longest(window, i, to) : -1;
      if (frozen >= 0) {
        symbols[count++] = (int) (frozen >>> 32);
        i = (int) frozen;
        continue;
      }
      int entry = entries[window[i]];
      if (entry == PieceSymbols.SURROGATE) {
        entry = vocabulary.beyondPlane(Character.codePointAt(window, i, to));
        i++;
      }
      symbols[count++] = entry & PieceSymbols.SYMBOL;
      i++;
    }
    count = merger.merge(symbols, count);
    for (int i = 0; i < count; i++) vocabulary.appendIds(symbols[i], ids);
  }
}
