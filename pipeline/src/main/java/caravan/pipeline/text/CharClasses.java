package caravan.pipeline.text;

import caravan.pipeline.text.TextNormalizer.Edit;
import java.text.Normalizer;

/**
 * What each char may need of normalization, as one table look-up: nearly all chars of nearly all
 * texts are {@link #PLAIN}, and a text of plain chars is normal.
 */
final class CharClasses {
  static final byte PLAIN = 0;
  private static final byte SPACE = 1;
  private static final byte TAB = 2;
  private static final byte LINE_BREAK = 3;

  /** Space characters and line breaks other than ASCII's. */
  private static final byte ODD_SPACE = 4;

  private static final byte INVISIBLE = 5;

  /** Letters that are lead bytes of UTF-8 when bytes are read as Latin-1. */
  private static final byte LATIN_LEAD = 6;

  private static final byte SURROGATE = 7;
  static final byte FULL_WIDTH = 8;

  /** NFKC changes the char, or may combine it with the one before. */
  private static final byte COMPATIBILITY = 9;

  /** What the first two bytes of a Chinese character in UTF-8 look like, read as GBK. */
  private static final byte GBK_LEAD = 10;

  private static final byte[] CLASS = new byte[0x10000];

  static {
    for (int c = 0; c < CLASS.length; c++) {
      CLASS[c] = classOf((char) c);
    }
    Mojibake.utf8LeadsReadAsGbk().chars().forEach(c -> CLASS[c] = GBK_LEAD);
  }

  private CharClasses() {}

  private static byte classOf(char c) {
    if (c == ' ') {
      return SPACE;
    } else if (c == '\t') {
      return TAB;
    } else if (c == '\n') {
      return LINE_BREAK;
    } else if (isLineBreak(c) || c > 0x80 && Scripts.isSpace(c)) {
      return ODD_SPACE;
    } else if (Character.isSurrogate(c)) {
      return SURROGATE;
    } else if (isInvisible(c)) {
      return INVISIBLE;
    } else if (c >= 0xC2 && c <= 0xF4) {
      return LATIN_LEAD;
    } else if (c >= 0xFF01 && c <= 0xFF5E) {
      return "！＂＇（），．：；？［］｛｝～".indexOf(c) >= 0 ? PLAIN : FULL_WIDTH;
    }
    return Nfkc.isSpared(c) || isNormal(c) ? PLAIN : COMPATIBILITY;
  }

  private static boolean isNormal(char c) {
    int type = Character.getType(c);
    boolean mayCombine =
        type == Character.NON_SPACING_MARK
            || type == Character.COMBINING_SPACING_MARK
            || c >= 0x1160 && c <= 0x11FF;
    return !mayCombine && Normalizer.isNormalized(String.valueOf(c), Normalizer.Form.NFKC);
  }

  static byte of(char c) {
    return CLASS[c];
  }

  /** Whether NFKC leaves the char alone and never combines it with the one before. */
  static boolean isComposed(char c) {
    return CLASS[c] != COMPATIBILITY && CLASS[c] != SURROGATE;
  }

  static boolean isLineBreak(int c) {
    return c >= '\n' && c <= '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
  }

  static boolean isInvisible(int c) {
    if (c < 0x300) {
      return c == 0xAD || Character.isISOControl(c) && c != '\t' && !isLineBreak(c);
    }
    return c >= 0x200B && c <= 0x200F && c != 0x200C && c != 0x200D
        || c >= 0x202A && c <= 0x202E
        || c >= 0x2060 && c <= 0x206F
        || c == 0xFEFF
        || c >= 0xD800 && c <= 0xDFFF
        || (c & 0xFFFE) == 0xFFFE
        || c >= 0xFDD0 && c <= 0xFDEF;
  }

  /** Bits of the edits that the text may need; 0 when it is normal. */
  static int needed(String text) {
    int needed = 0;
    int gbkLeads = 0;
    int indented = -2; // last char that is known to be indentation
    int length = text.length();
    for (int i = 0; i < length; i++) {
      byte kind = CLASS[text.charAt(i)];
      if (kind == PLAIN || kind == SPACE && isBetweenWords(text, i)) {
        continue;
      }
      switch (kind) {
        case SPACE, TAB, LINE_BREAK -> {
          boolean indents =
              kind != LINE_BREAK && i > 0 && (text.charAt(i - 1) == '\n' || indented == i - 1);
          indented = indents ? i : indented;
          if (!isTidy(text, i, kind, indents)) {
            needed |= Edit.WHITESPACE.bit();
          }
        }
        case ODD_SPACE -> needed |= Edit.WHITESPACE.bit();
        case INVISIBLE -> needed |= Edit.INVISIBLE.bit();
        case FULL_WIDTH -> needed |= Edit.FULL_WIDTH.bit();
        case COMPATIBILITY -> needed |= Edit.NFKC.bit();
        case GBK_LEAD -> gbkLeads++;
        case LATIN_LEAD -> {
          if (i + 1 < length && Mojibake.byteOf(text.charAt(i + 1)) >= 0x80) {
            needed |= Edit.MOJIBAKE.bit();
          }
        }
        default -> {
          needed |= supplementary(text, i);
          i +=
              Character.isSurrogatePair(text.charAt(i), i + 1 < length ? text.charAt(i + 1) : 0)
                  ? 1
                  : 0;
        }
      }
    }
    return gbkLeads >= 2 && Mojibake.mayBeGbk(text, gbkLeads)
        ? needed | Edit.MOJIBAKE.bit()
        : needed;
  }

  private static boolean isBetweenWords(String text, int at) {
    return at > 0
        && at + 1 < text.length()
        && text.charAt(at - 1) > ' '
        && text.charAt(at + 1) > ' ';
  }

  private static int supplementary(String text, int at) {
    int c = text.codePointAt(at);
    if (isInvisible(c)) {
      return Edit.INVISIBLE.bit();
    }
    boolean emoji = c >= 0x1F300 && c <= 0x1FAFF;
    boolean han = Scripts.isHan(c) && !(c >= 0x2F800 && c <= 0x2FA1F);
    return emoji || han ? 0 : Edit.NFKC.bit();
  }

  /** Whether white space stays as it is: single between words, at most two breaks, indentation. */
  private static boolean isTidy(String text, int at, byte kind, boolean indents) {
    if (at == 0 || at + 1 == text.length()) {
      return false;
    }
    char next = text.charAt(at + 1);
    if (kind == LINE_BREAK) {
      return next != '\n' || at + 2 < text.length() && text.charAt(at + 2) != '\n';
    }
    return indents ? next != '\n' && next != '\r' : kind == SPACE && next > ' ';
  }
}
