package caravan.pipeline.wikitext;

import java.util.Optional;

/**
 * A mark at a line's start: of a heading, a list item, a ruler, or of a table that was never opened
 * or closed.
 *
 * @param headingLevel 1 to 6; 0 when it is no heading
 * @param contentStart where the line goes on; at its end when nothing of it is shown
 */
record LineMark(int headingLevel, int contentStart) {

  /**
   * @param topLevel whether nothing is open: only there are headings and table rows
   */
  static Optional<LineMark> at(String text, int start, boolean topLevel) {
    char c = text.charAt(start);
    if (c == '*' || c == '#' || c == ':' || c == ';') {
      int i = start;
      while (i < text.length() && "*#:; ".indexOf(text.charAt(i)) >= 0) {
        i++;
      }
      return Optional.of(new LineMark(0, i));
    }
    if (!topLevel) {
      return Optional.empty();
    }
    if (c == '=') {
      return heading(text, start);
    }
    if (text.startsWith("----", start)) {
      int i = start;
      while (i < text.length() && text.charAt(i) == '-') {
        i++;
      }
      return Optional.of(new LineMark(0, i));
    }
    boolean unpairedTable = c == '|' || text.startsWith("{|", start);
    boolean unpairedTemplate = text.startsWith("{{", start);
    return unpairedTable || unpairedTemplate
        ? Optional.of(new LineMark(0, lineEnd(text, start)))
        : Optional.empty();
  }

  private static Optional<LineMark> heading(String text, int start) {
    int i = start;
    while (i < text.length() && text.charAt(i) == '=') {
      i++;
    }
    int end = lineEnd(text, i);
    while (end > i && " \t".indexOf(text.charAt(end - 1)) >= 0) {
      end--;
    }
    // A comment may follow; then the equals signs before it are left in and cut off later.
    boolean closed = end > i && (text.charAt(end - 1) == '=' || text.charAt(end - 1) == '>');
    return closed ? Optional.of(new LineMark(Math.min(6, i - start), i)) : Optional.empty();
  }

  private static int lineEnd(String text, int start) {
    int end = text.indexOf('\n', start);
    return end < 0 ? text.length() : end;
  }
}
