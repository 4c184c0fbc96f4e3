package caravan.pipeline.text;

/** ASCII digits in a text. */
final class Digits {
  private Digits() {}

  static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  static boolean isDigitAt(String text, int at) {
    return at >= 0 && at < text.length() && isDigit(text.charAt(at));
  }

  static boolean isLetter(char c) {
    return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
  }

  /** Number of digits from {@code start} on. */
  static int run(String text, int start) {
    int end = start;
    while (end < text.length() && isDigit(text.charAt(end))) {
      end++;
    }
    return end - start;
  }

  /** Whether no number starts after this char: it belongs to a longer one or to a name. */
  static boolean continuesNumber(String text, int at) {
    if (at < 0) {
      return false;
    }
    char c = text.charAt(at);
    boolean joined = (c == '-' || c == '/' || c == ',') && isDigitAt(text, at - 1);
    return isDigit(c) || isLetter(c) || c == '.' || c == '_' || joined;
  }

  /** Whether a number may end before {@code at}: no more of it follows. */
  static boolean endsAt(String text, int at) {
    if (at >= text.length()) {
      return true;
    }
    char c = text.charAt(at);
    boolean goesOn = (c == '-' || c == '.' || c == ',') && isDigitAt(text, at + 1);
    return !isDigit(c) && !isLetter(c) && c != '_' && !goesOn;
  }

  /**
   * The digits from {@code start} on, in groups of these lengths.
   *
   * @param separator what stands between groups; 0 for nothing
   * @return the index after them, -1 when the text has other groups
   */
  static int groups(String text, int start, char separator, int... lengths) {
    int at = start;
    for (int i = 0; i < lengths.length; i++) {
      if (i > 0 && separator != 0) {
        if (at >= text.length() || text.charAt(at) != separator) {
          return -1;
        }
        at++;
      }
      for (int end = at + lengths[i]; at < end; at++) {
        if (!isDigitAt(text, at)) {
          return -1;
        }
      }
    }
    return isDigitAt(text, at) ? -1 : at;
  }

  static int digit(String text, int at) {
    return text.charAt(at) - '0';
  }

  /** The number in {@code [start, end)}, which holds digits alone. */
  static int value(String text, int start, int end) {
    int value = 0;
    for (int i = start; i < end; i++) {
      value = value * 10 + digit(text, i);
    }
    return value;
  }
}
