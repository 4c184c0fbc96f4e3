package caravan.pipeline.text;

import java.io.Serializable;
import java.text.Normalizer;
import java.util.Map;
import java.util.TreeMap;

/**
 * Makes texts that read the same be the same: Unicode NFKC (full-width letters and digits become
 * ASCII, ligatures and compatibility ideographs their plain forms), without the marks that NFKC
 * would spoil (Chinese punctuation, ellipses, superscripts, fractions, enclosed numbers); no
 * control, zero-width and direction characters; one kind of line break; runs of spaces become one,
 * except ASCII indentation; no more than one blank line; no space at line ends. Normalizing twice
 * changes nothing more.
 */
public final class TextNormalizer implements Serializable {
  /** Edit: characters that NFKC took away, less those it added. */
  public static final String NFKC = "nfkc";

  /** Edit: control, zero-width and direction characters, unpaired surrogates, noncharacters. */
  public static final String INVISIBLE = "invisible";

  /** Edit: spaces and line breaks. */
  public static final String WHITESPACE = "whitespace";

  /**
   * @param text the normalized text
   * @param removed code points taken away per edit, less those added; edits without any are absent
   */
  public record Normalized(String text, Map<String, Long> removed) {}

  public Normalized normalize(String text) {
    String visible = visible(text); // first, so that marks meet the letters they belong to
    String composed = compose(visible);
    String clean = new Whitespace(composed).clean();
    Map<String, Long> removed = new TreeMap<>();
    put(removed, INVISIBLE, characters(text) - characters(visible));
    put(removed, NFKC, characters(visible) - characters(composed));
    put(removed, WHITESPACE, characters(composed) - characters(clean));
    return new Normalized(clean, removed);
  }

  private static void put(Map<String, Long> removed, String edit, long characters) {
    if (characters != 0) {
      removed.put(edit, characters);
    }
  }

  private static long characters(String text) {
    return text.codePointCount(0, text.length());
  }

  private static String visible(String text) {
    StringBuilder out = null;
    int copied = 0;
    int length;
    for (int i = 0; i < text.length(); i += length) {
      int c = text.codePointAt(i);
      length = Character.charCount(c);
      if (isInvisible(c)) {
        out = out == null ? new StringBuilder(text.length()) : out;
        out.append(text, copied, i);
        copied = i + length;
      }
    }
    return out == null ? text : out.append(text, copied, text.length()).toString();
  }

  private static boolean isInvisible(int c) {
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

  private static boolean isLineBreak(int c) {
    return c >= '\n' && c <= '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
  }

  /** NFKC of everything between the spared marks. */
  private static String compose(String text) {
    StringBuilder out = null;
    int copied = 0;
    int start = 0;
    boolean plain = true;
    for (int i = 0; i <= text.length(); i++) {
      char c = i == text.length() ? 0 : text.charAt(i);
      if (i < text.length() && !isSpared(c)) {
        plain &= isUntouched(c);
        continue;
      }
      if (!plain && !Normalizer.isNormalized(text.subSequence(start, i), Normalizer.Form.NFKC)) {
        out = out == null ? new StringBuilder(text.length()) : out;
        out.append(text, copied, start);
        out.append(Normalizer.normalize(text.subSequence(start, i), Normalizer.Form.NFKC));
        copied = i;
      }
      start = i + 1;
      plain = true;
    }
    return out == null ? text : out.append(text, copied, text.length()).toString();
  }

  /** What NFKC leaves alone and never combines with what follows: ASCII is only a base there. */
  private static boolean isUntouched(char c) {
    return c < 0x80 || c >= 0x4E00 && c <= 0x9FFF || c >= 0x3001 && c <= 0x3011;
  }

  private static boolean isSpared(char c) {
    if (c < 0x2000) {
      return c == 0xA0 || c == '²' || c == '³' || c == '¹' || c >= '¼' && c <= '¾';
    }
    return c == '…'
        || c == 0x3000 // spaces are counted as white space
        || c <= 0x200A
        || c >= 0x2070 && c <= 0x209F // superscripts and subscripts
        || c >= 0x2150 && c <= 0x215F // fractions
        || c >= 0x2460 && c <= 0x24FF // enclosed letters and numbers
        || c >= 0xFF01 && c <= 0xFF65 && "！＂＇（），．：；？［］｛｝～｡｢｣､･".indexOf(c) >= 0;
  }

  /** One pass over the text, line by line. */
  private static final class Whitespace {
    private final String text;
    private final StringBuilder out;
    private int lineBreaks;
    private int lineStart;
    private boolean pendingSpace;

    Whitespace(String text) {
      this.text = text;
      this.out = new StringBuilder(text.length());
    }

    String clean() {
      for (int i = 0; i < text.length(); ) {
        int c = text.codePointAt(i);
        i += Character.charCount(c);
        if (isLineBreak(c)) {
          if (c == '\r' && i < text.length() && text.charAt(i) == '\n') {
            i++;
          }
          lineBreaks++;
          pendingSpace = false;
          lineStart = i;
        } else if (c == '\t' || c == ' ' || c > 0x80 && Scripts.isSpace(c)) {
          pendingSpace = true;
        } else {
          append(c, i - Character.charCount(c));
        }
      }
      return out.toString();
    }

    private void append(int c, int at) {
      boolean firstOfLine = lineBreaks > 0 || out.length() == 0;
      if (lineBreaks > 0 && out.length() > 0) {
        out.append(lineBreaks == 1 ? "\n" : "\n\n");
      }
      if (pendingSpace && firstOfLine && out.length() > 0) {
        for (int i = lineStart; i < at; i++) {
          char space = text.charAt(i);
          if (space == ' ' || space == '\t') {
            out.append(space);
          }
        }
      } else if (pendingSpace && !firstOfLine) {
        out.append(' ');
      }
      out.appendCodePoint(c);
      lineBreaks = 0;
      pendingSpace = false;
    }
  }
}
