package caravan.pipeline.text;

/** Which writing system a code point belongs to, as far as segmenting words needs it. */
public final class Scripts {
  private Scripts() {}

  /** Chinese characters: unified and compatibility ideographs, 々 and 〇. */
  public static boolean isHan(int codePoint) {
    if (codePoint < 0x3005) {
      return false;
    }
    return codePoint >= 0x4E00 && codePoint <= 0x9FFF
        || codePoint >= 0x3400 && codePoint <= 0x4DBF
        || codePoint == 0x3005
        || codePoint == 0x3007
        || codePoint >= 0xF900 && codePoint <= 0xFAFF
        || codePoint >= 0x20000 && codePoint <= 0x323AF;
  }

  /** Japanese syllables. */
  public static boolean isKana(int codePoint) {
    return codePoint >= 0x3041 && codePoint <= 0x3096
        || codePoint >= 0x30A1 && codePoint <= 0x30FA
        || codePoint >= 0x31F0 && codePoint <= 0x31FF
        || codePoint >= 0xFF66 && codePoint <= 0xFF9D;
  }

  static boolean isLatinLetter(int codePoint) {
    if (codePoint < 0x80) {
      return codePoint >= 'a' && codePoint <= 'z' || codePoint >= 'A' && codePoint <= 'Z';
    }
    return codePoint <= 0x24F && codePoint >= 0xC0 && codePoint != 0xD7 && codePoint != 0xF7
        || codePoint >= 0x1E00 && codePoint <= 0x1EFF;
  }

  /** Whether the code point belongs to a word: a letter, digit or combining mark of any script. */
  static boolean isWordPart(int codePoint) {
    if (codePoint < 0x80) {
      return codePoint >= 'a' && codePoint <= 'z'
          || codePoint >= 'A' && codePoint <= 'Z'
          || codePoint >= '0' && codePoint <= '9';
    }
    if (codePoint >= 0x3000 && codePoint <= 0x303F || codePoint >= 0xFF00 && codePoint <= 0xFF0F) {
      return codePoint == 0x3005 || codePoint == 0x3007;
    }
    int type = Character.getType(codePoint);
    return Character.isLetterOrDigit(codePoint)
        || type == Character.NON_SPACING_MARK
        || type == Character.COMBINING_SPACING_MARK;
  }

  /** White space of any kind, no-break and ideographic spaces included. */
  static boolean isSpace(int codePoint) {
    return codePoint <= ' '
        || codePoint == 0xA0
        || codePoint == 0x3000
        || codePoint > 0xFF && Character.isSpaceChar(codePoint);
  }
}
