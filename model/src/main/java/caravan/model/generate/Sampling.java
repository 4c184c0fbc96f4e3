package caravan.model.generate;

/**
 * How the next token is drawn. In this order: logits of tokens seen before are weakened by the
 * repetition penalty (Keskar et al. 2019, arXiv 1909.05858), all are divided by the temperature and
 * cut to the {@code topK} highest, then to the nucleus (Holtzman et al. 2020, arXiv 1904.09751: the
 * fewest tokens, most probable first, whose probabilities sum to {@code topP}), then to those at
 * least {@code minP} times as probable as the best (Nguyen et al. 2024, arXiv 2407.01082).
 *
 * @param temperature 0 takes the highest logit (the lowest such id) and ignores the cuts
 * @param topK how many tokens stay eligible, 0 for all
 * @param topP probability mass that stays eligible, above 0 up to 1 (all)
 * @param minP least probability in shares of the best, from 0 (all) up to 1
 * @param repetitionPenalty divides positive logits of tokens seen before and multiplies negative
 *     ones; 1 changes nothing
 * @throws IllegalArgumentException when one is out of range
 */
public record Sampling(
    double temperature, int topK, double topP, double minP, double repetitionPenalty) {

  public Sampling {
    require(
        temperature >= 0 && Double.isFinite(temperature),
        "temperature",
        temperature,
        "0 (greedy) or more");
    require(topK >= 0, "top-k", topK, "0 (all) or more");
    require(topP > 0 && topP <= 1, "top-p", topP, "above 0 and at most 1");
    require(minP >= 0 && minP <= 1, "min-p", minP, "0 (all) to 1");
    require(
        repetitionPenalty > 0 && Double.isFinite(repetitionPenalty),
        "repetition-penalty",
        repetitionPenalty,
        "above 0; 1 changes nothing");
  }

  private static void require(boolean fine, String key, Number got, String wanted) {
    if (!fine) {
      throw new IllegalArgumentException(key + ": got " + got + ", wanted " + wanted);
    }
  }

  /** Whether tokens are cut off by their probability. */
  boolean isCut() {
    return topP < 1 || minP > 0;
  }
}
