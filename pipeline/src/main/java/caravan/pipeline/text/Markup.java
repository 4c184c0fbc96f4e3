package caravan.pipeline.text;

/** Finds tags and addresses of the web in a part of a text: they are of no language. */
final class Markup {
  /** Longest tag or address that is passed over, in chars. */
  private static final int MAX_LENGTH = 300;

  private final String text;
  private final int end;

  /** The next {@code >}, once it has been looked for. */
  private int tagEnd = -1;

  /**
   * @param end where the part ends
   */
  Markup(String text, int end) {
    this.text = text;
    this.end = end;
  }

  /** Whether a tag, or an address's part after its scheme, may start with the char. */
  static boolean mayStart(char c) {
    return c == '<' || c == ':';
  }

  /** The index after the tag or address at {@code at}; {@code at + 1} where none is. */
  int endAt(int at) {
    int limit = Math.min(end, at + MAX_LENGTH);
    if (text.startsWith("://", at)) {
      int i = at;
      while (i < limit && text.charAt(i) > ' ' && text.charAt(i) < 0x80) {
        i++;
      }
      return Math.max(i, at + 1);
    }
    char next = text.charAt(at) == '<' && at + 1 < end ? text.charAt(at + 1) : 0;
    if (next != '/' && !Digits.isLetter(next)) {
      return at + 1;
    }
    if (tagEnd < at) { // looked for once, however many tags stay open
      int found = text.indexOf('>', at);
      tagEnd = found < 0 ? Integer.MAX_VALUE : found;
    }
    return tagEnd < limit ? tagEnd + 1 : at + 1;
  }
}
