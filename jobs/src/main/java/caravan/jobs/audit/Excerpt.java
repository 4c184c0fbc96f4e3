package caravan.jobs.audit;

/** Pieces of texts, short enough to look at. Lengths are code points. */
public final class Excerpt {
  private static final String CUT = "…";

  private Excerpt() {}

  /** The beginning on one line: every run of white space is one space. */
  public static String line(String text, int most) {
    return start(visible(text.strip().replaceAll("\\s+", " ")), most);
  }

  /** The beginning; a mark says that it was cut. */
  public static String start(String text, int most) {
    int length = text.codePointCount(0, text.length());
    return length <= most ? text : text.substring(0, text.offsetByCodePoints(0, most)) + CUT;
  }

  /** The end; a mark says that it was cut. */
  public static String end(String text, int most) {
    int length = text.codePointCount(0, text.length());
    return length <= most
        ? text
        : CUT + text.substring(text.offsetByCodePoints(text.length(), -most));
  }

  /** Control, format and line-breaking characters as what they are: {@code ⟨U+200B⟩}, {@code ⏎}. */
  public static String visible(String text) {
    return visible(text, false);
  }

  /** The same, with line breaks as they are. */
  public static String visibleLines(String text) {
    return visible(text, true);
  }

  private static String visible(String text, boolean lines) {
    StringBuilder shown = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            c -> {
              int type = Character.getType(c);
              if (c == '\n') {
                shown.append(lines ? '\n' : '⏎');
              } else if (c == '\t') {
                shown.append('⇥');
              } else if (type == Character.CONTROL
                  || type == Character.FORMAT
                  || type == Character.SURROGATE
                  || type == Character.LINE_SEPARATOR
                  || type == Character.PARAGRAPH_SEPARATOR
                  || Character.isSpaceChar(c) && c != ' ' && c != '\u3000') {
                shown.append(String.format("⟨U+%04X⟩", c));
              } else {
                shown.appendCodePoint(c);
              }
            });
    return shown.toString();
  }
}
