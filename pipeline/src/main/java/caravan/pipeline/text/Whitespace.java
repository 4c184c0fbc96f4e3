package caravan.pipeline.text;

/**
 * Simple white space: one kind of line break and at most two in a row, one space between words,
 * none at line ends; ASCII spaces and tabs that indent a line stay.
 */
final class Whitespace {
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
    int length = text.length();
    for (int i = 0; i < length; ) {
      char c = text.charAt(i);
      if (isCommon(c)) {
        i = word(i);
      } else if (CharClasses.isLineBreak(c)) {
        i += c == '\r' && i + 1 < length && text.charAt(i + 1) == '\n' ? 2 : 1;
        lineBreaks++;
        pendingSpace = false;
        lineStart = i;
      } else if (c == '\t' || c == ' ' || c > 0x80 && Scripts.isSpace(c)) {
        pendingSpace = true;
        i++;
      } else {
        i = word(i);
      }
    }
    return out.toString();
  }

  /** Appends from a char that is no space up to the next that may be one; returns its index. */
  private int word(int at) {
    separate(at);
    int end = at + 1;
    while (end < text.length() && isCommon(text.charAt(end))) {
      end++;
    }
    out.append(text, at, end);
    return end;
  }

  private static boolean isCommon(char c) {
    return c > ' ' && c < 0x80 || c >= 0x3001 && c <= 0xD7FF;
  }

  private void separate(int at) {
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
    lineBreaks = 0;
    pendingSpace = false;
  }
}
