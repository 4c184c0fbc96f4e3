package caravan.pipeline.dedup;

import caravan.pipeline.text.Words;

/** The units of a text: Han characters and words. */
record UnitPieces(Words words) implements Pieces {
  static UnitPieces of(String text) {
    return new UnitPieces(Words.of(text));
  }

  @Override
  public int count() {
    return words.count();
  }

  @Override
  public int start(int piece) {
    return words.start(piece);
  }

  @Override
  public int end(int piece) {
    return words.end(piece);
  }

  /**
   * Takes along what closes the passage (a full stop, a closing bracket), and white space that
   * would follow other white space.
   */
  @Override
  public int cutEnd(int from, int to) {
    String text = words.text();
    int end = words.end(to - 1);
    while (end < text.length() && closes(text.charAt(end))) {
      end++;
    }
    int start = words.start(from);
    if (start == 0 || Character.isWhitespace(text.charAt(start - 1))) {
      while (end < text.length() && Character.isWhitespace(text.charAt(end))) {
        end++;
      }
    }
    return end;
  }

  private static boolean closes(char c) {
    return switch (Character.getType(c)) {
      case Character.END_PUNCTUATION,
          Character.FINAL_QUOTE_PUNCTUATION,
          Character.OTHER_PUNCTUATION ->
          true;
      default -> false;
    };
  }
}
