package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SentencePieceModel.NormalizerSpec;
import caravan.pipeline.tokenize.SentencePieceModel.Piece;
import caravan.pipeline.tokenize.SentencePieceModel.PieceType;

/**
 * What SentencePiece does to a text before it looks for pieces (normalizer.cc): character rules,
 * removal of spaces, the space before or after the text, spaces written {@code ▁}. User-defined
 * symbols are not rewritten.
 */
final class PieceNormalizer {
  private static final char ESCAPED = '\u2581';
  private static final char REPLACEMENT = '\uFFFD';

  private final NormalizerSpec spec;
  private final boolean suffix;
  private final CharacterRules rules;
  private final CodePointTrie symbols = new CodePointTrie();
  private final char space;

  /**
   * @param rules null: there are none
   */
  PieceNormalizer(SentencePieceModel model, CharacterRules rules) {
    this.spec = model.normalizer();
    this.suffix = model.trainer().whitespaceAsSuffix();
    this.rules = rules;
    this.space = spec.escapeWhitespaces() ? ESCAPED : ' ';
    for (Piece piece : model.pieces()) {
      if (piece.type() == PieceType.USER_DEFINED) symbols.put(piece.text(), 0);
    }
  }

  /** Whether all that is done is to write spaces in another way and to add one. */
  boolean keepsText() {
    return rules == null && !spec.removeExtraWhitespaces();
  }

  /** A space as it is written. */
  char space() {
    return space;
  }

  boolean addsPrefix() {
    return spec.addDummyPrefix() && !suffix;
  }

  boolean addsSuffix() {
    return spec.addDummyPrefix() && suffix;
  }

  String normalize(String text) {
    char[] in = text.toCharArray();
    replaceLoneSurrogates(in);
    boolean trims = spec.removeExtraWhitespaces();
    int at = 0;
    while (trims && at < in.length) {
      long rule = rule(in, at);
      if (!(rule < 0 ? in[at] == ' ' : isSpace(rule))) break;
      at = rule < 0 ? at + 1 : (int) rule;
    }
    if (at == in.length) return "";
    StringBuilder out = new StringBuilder(text.length() + 8);
    if (addsPrefix()) out.append(space);
    boolean afterSpace = trims;
    while (at < in.length) {
      int before = out.length();
      long rule = rule(in, at);
      String written = null;
      int end;
      if (rule >= 0) {
        end = (int) rule;
        int place = (int) (rule >>> 32);
        written = place == KEPT ? new String(in, at, end - at) : rules.replacement(place);
      } else {
        end = at + Character.charCount(Character.codePointAt(in, at));
      }
      boolean endsInSpace =
          written == null
              ? append(in, at, end, afterSpace, out)
              : append(written.toCharArray(), 0, written.length(), afterSpace, out);
      if (out.length() > before) afterSpace = trims && endsInSpace;
      at = end;
    }
    int length = out.length();
    while (trims && length > 0 && out.charAt(length - 1) == space) length--;
    out.setLength(length);
    if (addsSuffix()) out.append(space);
    return out.toString();
  }

  /** In the upper 32 bits of {@link #rule}: a user-defined symbol, which stays. */
  private static final int KEPT = Integer.MAX_VALUE;

  private long rule(char[] text, int at) {
    long symbol = symbols.isEmpty() ? -1 : symbols.longest(text, at, text.length);
    if (symbol >= 0) return (long) KEPT << 32 | (int) symbol;
    return rules == null ? -1 : rules.longest(text, at, text.length);
  }

  private boolean isSpace(long rule) {
    int place = (int) (rule >>> 32);
    return place != KEPT && rules.replacement(place).equals(" ");
  }

  private boolean append(char[] from, int start, int end, boolean afterSpace, StringBuilder out) {
    int i = start;
    while (afterSpace && i < end && from[i] == ' ') i++;
    for (; i < end; i++) out.append(from[i] == ' ' ? space : from[i]);
    return end > start && from[end - 1] == ' ';
  }

  private static void replaceLoneSurrogates(char[] text) {
    for (int i = 0; i < text.length; i++) {
      if (!Character.isSurrogate(text[i])) continue;
      boolean pair = i + 1 < text.length && Character.isSurrogatePair(text[i], text[i + 1]);
      if (pair) i++;
      else text[i] = REPLACEMENT;
    }
  }
}
