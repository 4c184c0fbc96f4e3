package caravan.pipeline.text;

/**
 * Bounds on the length of a document.
 *
 * @param minCharacters code points
 * @param maxCharacters code points
 */
public record LengthFilter(int minCharacters, int maxCharacters) implements TextFilter {
  public LengthFilter {
    Rule.checkRange("characters", minCharacters, maxCharacters);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    int length = passage.words().characters();
    return judge.atLeast("too_short", length, minCharacters, "code points")
        && judge.atMost("too_long", length, maxCharacters, "code points");
  }
}
