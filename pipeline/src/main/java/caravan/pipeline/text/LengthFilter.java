package caravan.pipeline.text;

import java.util.Optional;

/**
 * Bounds on the length of a document.
 *
 * @param minCharacters code points
 * @param maxCharacters code points
 */
public record LengthFilter(int minCharacters, int maxCharacters) implements TextFilter {
  public LengthFilter {
    TextFilter.checkRange("characters", minCharacters, maxCharacters);
  }

  @Override
  public Optional<Drop> check(Words words) {
    int length = words.characters();
    return Drop.below("too_short", length, minCharacters, " code points")
        .or(() -> Drop.above("too_long", length, maxCharacters, " code points"));
  }
}
