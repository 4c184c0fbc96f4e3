package caravan.jobs.chat;

/** Short pieces of long texts for messages. */
final class Excerpts {
  private static final int CHARS = 60;

  private Excerpts() {}

  static String of(String text) {
    String line = text.replace("\n", "\\n").replace("\r", "\\r");
    if (line.length() <= CHARS) {
      return line;
    }
    int end = Character.isHighSurrogate(line.charAt(CHARS - 1)) ? CHARS - 1 : CHARS;
    return line.substring(0, end) + "…";
  }
}
