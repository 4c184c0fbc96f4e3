package caravan.pipeline.wikitext;

import java.util.Locale;

/**
 * A tag in wikitext.
 *
 * @param name lower case
 * @param end position after its {@code >}
 */
record Tag(String name, boolean closing, boolean selfClosing, String attributes, int end) {

  /** Longer tags are text. */
  private static final int LONGEST = 2_000;

  private static final int LONGEST_NAME = 20;

  /** The tag that begins at {@code start}, where a {@code <} stands; null when none does. */
  static Tag at(String text, int start) {
    int i = start + 1;
    boolean closing = i < text.length() && text.charAt(i) == '/';
    i += closing ? 1 : 0;
    int nameStart = i;
    while (i < text.length() && i - nameStart < LONGEST_NAME && isNameCharacter(text.charAt(i))) {
      i++;
    }
    if (i == nameStart || i == text.length() || " \t\n/>".indexOf(text.charAt(i)) < 0) {
      return null;
    }
    String name = text.substring(nameStart, i).toLowerCase(Locale.ROOT);
    int limit = Math.min(text.length(), start + LONGEST);
    for (int end = i; end < limit; end++) {
      char c = text.charAt(end);
      if (c == '<') {
        return null;
      }
      if (c == '>') {
        boolean selfClosing = text.charAt(end - 1) == '/';
        return Tags.isKnown(name)
            ? new Tag(name, closing, selfClosing, text.substring(i, end), end + 1)
            : null;
      }
    }
    return null;
  }

  private static boolean isNameCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }

  /** Whether readers see nothing of the element. */
  boolean hidesContent() {
    String compact = attributes.toLowerCase(Locale.ROOT).replace(" ", "");
    return compact.contains("display:none") || compact.contains("noprint");
  }
}
