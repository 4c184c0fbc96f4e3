package caravan.pipeline.text;

import java.text.Normalizer;

/**
 * Unicode NFKC without its losses. It spares Chinese punctuation, which NFKC turns into ASCII;
 * superscripts, fractions and enclosed numbers, which it turns into other numbers (10² → 102);
 * ellipses, ordinals, trade marks, and accents that stand alone. Vertical and small forms become
 * the Chinese marks they are forms of (﹐ → ，), square units keep their powers (㎡ → m²).
 */
final class Nfkc {
  private static final String FORMS =
      "︐，︑、︒。︓：︔；︕！︖？︗〖︘〗︙…︵（︶）︷｛︸｝︹〔︺〕︻【︼】︽《︾》︿〈﹀〉﹁「﹂」﹃『﹄』" + "﹐，﹑、﹒．﹔；﹕：﹖？﹗！﹙（﹚）﹛｛﹜｝﹝〔﹞〕";
  private static final String[] UNITS = {
    "㎟mm²", "㎠cm²", "㎡m²", "㎢km²", "㎣mm³", "㎤cm³", "㎥m³", "㎦km³", "㎨m/s²"
  };

  private Nfkc() {}

  static boolean isSpared(char c) {
    if (c < 0x2000) {
      return c < 0xC0 ? "\u00A0¨ª¯²³´¸¹º¼½¾".indexOf(c) >= 0 : c >= 0x2D8 && c <= 0x2DD;
    }
    return c == '…'
        || c == 0x3000 // spaces are counted as white space
        || c <= 0x200A
        || c == 0x202F
        || c == 0x205F
        || c >= 0x2070 && c <= 0x209F // superscripts and subscripts
        || c == 0x2120
        || c == '™'
        || c >= 0x2150 && c <= 0x215F // fractions
        || c >= 0x2460 && c <= 0x24FF // enclosed letters and numbers
        || c >= 0x3131 && c <= 0x318E // Hangul letters on their own
        || c >= 0x3251 && c <= 0x325F // enclosed numbers
        || c >= 0x32B1 && c <= 0x32BF
        || c >= 0xFF01 && c <= 0xFF5E; // counted as full-width, or Chinese punctuation
  }

  static String compose(String text) {
    String plain = plainForms(text);
    StringBuilder out = null;
    int copied = 0;
    int start = 0;
    boolean composed = true;
    for (int i = 0; i <= plain.length(); i++) {
      char c = i == plain.length() ? 0 : plain.charAt(i);
      if (i < plain.length() && !isSpared(c)) {
        composed &= CharClasses.isComposed(c);
        continue;
      }
      CharSequence between = composed ? "" : plain.subSequence(start, i);
      if (!Normalizer.isNormalized(between, Normalizer.Form.NFKC)) {
        out = out == null ? new StringBuilder(plain.length()) : out;
        out.append(plain, copied, start);
        out.append(Normalizer.normalize(between, Normalizer.Form.NFKC));
        copied = i;
      }
      start = i + 1;
      composed = true;
    }
    return out == null ? plain : out.append(plain, copied, plain.length()).toString();
  }

  private static String plainForms(String text) {
    StringBuilder out = null;
    int copied = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      String plain = c < 0x339F || c > 0x33A8 && c < 0xFE10 || c > 0xFE5E ? null : plainForm(c);
      if (plain != null) {
        out = out == null ? new StringBuilder(text.length()) : out;
        out.append(text, copied, i).append(plain);
        copied = i + 1;
      }
    }
    return out == null ? text : out.append(text, copied, text.length()).toString();
  }

  /** Null for a char that is no form of another here. */
  private static String plainForm(char c) {
    for (String unit : UNITS) {
      if (unit.charAt(0) == c) {
        return unit.substring(1);
      }
    }
    int at = c < 0xFE10 ? -1 : FORMS.indexOf(c);
    return at < 0 || at % 2 == 1 ? null : FORMS.substring(at + 1, at + 2);
  }
}
