package caravan.pipeline.text;

/**
 * Drops texts that are advertising: too many of its phrases for their length. Single short lines of
 * it are the matter of {@link PageLines}.
 *
 * @param phrases what advertising says
 * @param minOccurrences phrases that a text may hold whatever its length, less one
 * @param maxPerThousandCharacters phrases per 1,000 code points
 */
public record AdvertisingFilter(
    Phrases phrases, int minOccurrences, double maxPerThousandCharacters) implements TextFilter {
  public AdvertisingFilter {
    Rule.checkNotNegative("min-occurrences", minOccurrences);
    Rule.checkNotNegative("max-per-thousand-characters", maxPerThousandCharacters);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    int occurrences = phrases.count(passage.text());
    double share = occurrences * 1000.0 / Math.max(1, passage.words().characters());
    return judge.atMost(
        "advertising",
        occurrences < minOccurrences ? 0 : share,
        maxPerThousandCharacters,
        "phrases per 1,000 code points");
  }
}
