package caravan.pipeline.text;

import java.util.Map;

/**
 * Takes out what an encyclopedia's pages put in square brackets between the words: {@code [12]},
 * {@code [edit]}, {@code [来源请求]}. From C4's reference code, but for numbers of four and more
 * digits: those are years and the process numbers of log files.
 *
 * @param words what stands in the brackets beside digits, in any case
 */
public record CitationMarks(Phrases words) implements TextEdit {
  private static final String REASON = "citation_marks";
  private static final int MAX_DIGITS = 3;

  @Override
  public Edited edit(Passage passage) {
    String text = passage.text();
    StringBuilder out = null;
    int copied = 0;
    for (int i = text.indexOf('['); i >= 0; i = text.indexOf('[', i + 1)) {
      int end = endOfMark(text, i);
      if (end > 0) {
        out = out == null ? new StringBuilder(text.length()) : out;
        out.append(text, copied, startWithSpace(text, i, end, copied));
        copied = end;
      }
    }
    if (out == null) {
      return new Edited(text, Map.of());
    }
    String left = out.append(text, copied, text.length()).toString();
    long removed = text.codePointCount(0, text.length()) - left.codePointCount(0, left.length());
    return new Edited(left, Map.of(REASON, removed));
  }

  /** A space before a mark goes with it where none is needed after it. */
  private static int startWithSpace(String text, int bracket, int end, int copied) {
    boolean spaceBefore = bracket > copied && text.charAt(bracket - 1) == ' ';
    boolean spaceAfter = end == text.length() || text.charAt(end) <= ' ';
    return spaceBefore && spaceAfter ? bracket - 1 : bracket;
  }

  /** Index after the mark that starts at a bracket; -1 when it starts none. */
  private int endOfMark(String text, int bracket) {
    int i = bracket + 1;
    int digitsEnd = Math.min(text.length(), i + MAX_DIGITS);
    while (i < digitsEnd && text.charAt(i) >= '0' && text.charAt(i) <= '9') {
      i++;
    }
    if (i == bracket + 1) {
      i = words.endAt(text, i);
    }
    return i > bracket + 1 && i < text.length() && text.charAt(i) == ']' ? i + 1 : -1;
  }
}
