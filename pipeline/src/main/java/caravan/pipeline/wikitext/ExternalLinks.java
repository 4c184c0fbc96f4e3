package caravan.pipeline.wikitext;

/** Links of the form {@code [https://example.org label]}. */
final class ExternalLinks {
  private static final String[] SCHEMES = {
    "http://", "https://", "//", "ftp://", "mailto:", "news:", "irc://"
  };

  private ExternalLinks() {}

  static boolean isUrl(String text, int start) {
    for (String scheme : SCHEMES) {
      if (text.regionMatches(true, start, scheme, 0, scheme.length())) {
        return true;
      }
    }
    return false;
  }

  /** Where the label begins: after the address and blanks; {@code end} without a label. */
  static int label(String text, int start, int end) {
    int i = start;
    while (i < end && text.charAt(i) != ' ' && text.charAt(i) != '\t') {
      i++;
    }
    while (i < end && (text.charAt(i) == ' ' || text.charAt(i) == '\t')) {
      i++;
    }
    return i;
  }
}
