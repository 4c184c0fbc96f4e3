package caravan.pipeline.wikitext;

import org.jsoup.parser.Parser;

/** Character references such as {@code &nbsp;}. */
final class Entities {
  private static final int LONGEST = 32;

  private Entities() {}

  /** Where the reference that begins at {@code start} ends; after the ampersand when none does. */
  static int end(String text, int start) {
    int limit = Math.min(text.length(), start + LONGEST);
    for (int i = start + 1; i < limit; i++) {
      char c = text.charAt(i);
      if (c == ';') {
        return i + 1;
      }
      if (!Character.isLetterOrDigit(c) && c != '#') {
        break;
      }
    }
    return start + 1;
  }

  static String decode(String text) {
    return text.indexOf('&') < 0 ? text : Parser.unescapeEntities(text, true);
  }
}
