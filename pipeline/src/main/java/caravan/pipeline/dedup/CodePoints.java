package caravan.pipeline.dedup;

/** Counts code points before places of a text, fast where each place is near the one before. */
final class CodePoints {
  private final String text;
  private int at;
  private int count;

  CodePoints(String text) {
    this.text = text;
  }

  /**
   * @param index in chars
   */
  int before(int index) {
    count += index >= at ? text.codePointCount(at, index) : -text.codePointCount(index, at);
    at = index;
    return count;
  }
}
