package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.lang.Character.UnicodeScript;

/**
 * What may be a piece: SentencePiece's rules {@code split_by_whitespace}, {@code
 * split_by_unicode_script}, {@code allow_whitespace_only_pieces} and {@code split_digits}. A space
 * {@code ▁} stands at a piece's start only, or the piece is all spaces; a piece's characters are of
 * one script, where Hiragana and Katakana count as Han, and combining marks as what they follow.
 *
 * @param maxLength code points in a piece at most
 * @param splitDigits whether a digit is a piece by itself only
 */
record PieceRules(int maxLength, boolean splitDigits) implements Serializable {
  static final int SPACE = '\u2581';
  private static final int PROLONGED_SOUND_MARK = 0x30FC;

  /**
   * Whether some piece may hold the two characters side by side. Where none may, a text can be cut
   * without losing a candidate.
   */
  boolean mayJoin(int left, int right) {
    if (right == SPACE) return left == SPACE;
    if (splitDigits && (isDigit(left) || isDigit(right))) return false;
    if (left == SPACE) return true;
    UnicodeScript leftScript = script(left);
    UnicodeScript rightScript = script(right);
    return leftScript == rightScript
        || leftScript == UnicodeScript.INHERITED
        || rightScript == UnicodeScript.INHERITED;
  }

  /** Whether two pieces together may be one. */
  boolean mayBePiece(int[] left, int[] right) {
    int length = left.length + right.length;
    if (length > maxLength) return false;
    UnicodeScript script = null;
    boolean allSpaces = true;
    for (int i = 0; i < length; i++) {
      int character = i < left.length ? left[i] : right[i - left.length];
      if (character == SPACE) {
        if (i > 0 && !allSpaces) return false;
        continue;
      }
      if (allSpaces && i > 1) return false;
      allSpaces = false;
      if (splitDigits && isDigit(character)) return false;
      UnicodeScript own = script(character);
      if (own == UnicodeScript.INHERITED) continue;
      if (script != null && script != own) return false;
      script = own;
    }
    return true;
  }

  /**
   * Control characters (NUL, line ends, tabs) are never in a piece, they fall back to bytes; nor
   * are unpaired surrogates, which are no characters.
   */
  static boolean mayBeInPiece(int character) {
    boolean surrogate =
        character >= Character.MIN_SURROGATE && character <= Character.MAX_SURROGATE;
    return !Character.isISOControl(character) && !surrogate;
  }

  private static boolean isDigit(int character) {
    return character >= '0' && character <= '9' || character >= 0xFF10 && character <= 0xFF19;
  }

  private static UnicodeScript script(int character) {
    if (character == PROLONGED_SOUND_MARK) return UnicodeScript.HAN;
    UnicodeScript script = UnicodeScript.of(character);
    boolean kana = script == UnicodeScript.HIRAGANA || script == UnicodeScript.KATAKANA;
    return kana ? UnicodeScript.HAN : script;
  }
}
