package caravan.pipeline.wikitext;

/** Words between double underscores that say how a page is shown, such as {@code __NOTOC__}. */
final class BehaviourSwitch {
  private static final int LONGEST = 30;

  private BehaviourSwitch() {}

  /** Where the switch that begins at {@code start} ends; -1 when none does. */
  static int end(String text, int start) {
    if (!text.startsWith("__", start)) {
      return -1;
    }
    int i = start + 2;
    int limit = Math.min(text.length(), start + LONGEST);
    while (i < limit && isLetter(text.charAt(i))) {
      i++;
    }
    return i > start + 2 && text.startsWith("__", i) ? i + 2 : -1;
  }

  private static boolean isLetter(char c) {
    return (c >= 'A' && c <= 'Z') || Character.UnicodeScript.of(c) == Character.UnicodeScript.HAN;
  }
}
