package caravan.pipeline.text;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** The pieces of a text between line breaks, and how often they repeat. */
final class Lines {
  private static final Pattern LINE_BREAK = Pattern.compile("\n+");
  private static final Pattern PARAGRAPH_BREAK = Pattern.compile("\n\\s*\n");

  private Lines() {}

  /** Lines with something on them, stripped. */
  static List<String> lines(String text) {
    return pieces(LINE_BREAK, text);
  }

  /** What blank lines separate, stripped. */
  static List<String> paragraphs(String text) {
    return pieces(PARAGRAPH_BREAK, text);
  }

  private static List<String> pieces(Pattern separator, String text) {
    List<String> pieces = new ArrayList<>();
    for (String piece : separator.split(text)) {
      String stripped = piece.strip();
      if (!stripped.isEmpty()) {
        pieces.add(stripped);
      }
    }
    return pieces;
  }

  /**
   * @param pieces how many came before in the text
   * @param characters their code points
   */
  record Repeated(int pieces, int characters) {}

  static Repeated repeated(List<String> pieces) {
    Set<String> seen = new HashSet<>();
    int repeated = 0;
    int characters = 0;
    for (String piece : pieces) {
      if (!seen.add(piece)) {
        repeated++;
        characters += piece.codePointCount(0, piece.length());
      }
    }
    return new Repeated(repeated, characters);
  }
}
