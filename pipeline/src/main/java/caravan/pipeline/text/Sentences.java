package caravan.pipeline.text;

/**
 * Counts sentences without a dictionary. A sentence ends where a line does, after {@code 。！？}, and
 * after {@code . ! ?} that white space follows; closing quotes and brackets still belong to it. A
 * full stop after a single letter ({@code J. Doe}) or before a small letter ends none.
 */
final class Sentences {
  private static final String CLOSING = "\"'”’)]）」』】》";

  private Sentences() {}

  static int count(Lines lines) {
    int count = 0;
    for (int i = 0; i < lines.count(); i++) {
      count += count(lines.text(), lines.start(i), lines.end(i));
    }
    return count;
  }

  private static int count(String text, int start, int end) {
    int count = 0;
    boolean open = false;
    for (int i = start; i < end; i++) {
      char c = text.charAt(i);
      boolean wide = c == '。' || c == '！' || c == '？';
      if (!wide && c != '.' && c != '!' && c != '?') {
        open |= c > ' ' && (open || Scripts.isWordPart(c) || Character.isSurrogate(c));
        continue;
      }
      while (i + 1 < end && CLOSING.indexOf(text.charAt(i + 1)) >= 0) {
        i++;
      }
      if (open && (wide || i + 1 == end || endsHere(text, c, i, start, end))) {
        count++;
        open = false;
      }
    }
    return count + (open ? 1 : 0);
  }

  private static boolean endsHere(String text, char mark, int last, int start, int end) {
    if (!Scripts.isSpace(text.charAt(last + 1))) {
      return false;
    }
    if (mark != '.') {
      return true;
    }
    boolean initial =
        last > start
            && Scripts.isLatinLetter(text.charAt(last - 1))
            && (last - 1 == start || !Scripts.isWordPart(text.charAt(last - 2)));
    int next = last + 1;
    while (next < end && Scripts.isSpace(text.charAt(next))) {
      next++;
    }
    return !initial && !(next < end && Character.isLowerCase(text.charAt(next)));
  }
}
