package caravan.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class KneserNeyBigramTest {
  /** Counts of bigrams (row first, column second); id 3 is never seen first, id 4 never at all. */
  private static final long[][] COUNTS = {
    {0, 3, 1, 0, 0}, {2, 0, 1, 1, 0}, {1, 1, 0, 0, 0}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}
  };

  private static KneserNeyBigram bigram() {
    int size = COUNTS.length;
    long[] total = new long[size];
    int[] followers = new int[size];
    int[] predecessors = new int[size];
    for (int a = 0; a < size; a++) {
      for (int b = 0; b < size; b++) {
        total[a] += COUNTS[a][b];
        followers[a] += COUNTS[a][b] > 0 ? 1 : 0;
        predecessors[b] += COUNTS[a][b] > 0 ? 1 : 0;
      }
    }
    return new KneserNeyBigram(total, followers, predecessors, 5, 1);
  }

  private static double probability(int first, int second) {
    return Math.exp(bigram().logProbability(first, second, COUNTS[first][second]));
  }

  @Test
  void probabilitiesOverTheVocabularySumToOneAfterSeenAndUnseenTokens() {
    for (int first = 0; first < COUNTS.length; first++) {
      double sum = 0;
      for (int second = 0; second < COUNTS.length; second++) {
        assertThat(probability(first, second)).isPositive();
        sum += probability(first, second);
      }
      assertThat(sum).isCloseTo(1, within(1e-12));
    }
  }

  @Test
  void theDiscountIsEstimatedFromBigramsSeenOnceAndTwice() {
    assertThat(bigram().discount()).isCloseTo(5 / 7.0, within(1e-12));
  }

  @Test
  void anUnseenPairIsScoredByHowManyDifferentTokensPrecedeItsSecond() {
    // 0 and 1 were each preceded by two different tokens, 3 by one: after 3 that is all there is.
    assertThat(probability(3, 0)).isEqualTo(probability(3, 1));
    assertThat(probability(3, 0)).isGreaterThan(probability(3, 3));
    assertThat(probability(3, 3)).isGreaterThan(probability(3, 4));
  }

  @Test
  void theFormulaGivesTheValueWorkedOutByHand() {
    // D = 5/7; predecessors 2, 2, 2, 1 of 7 bigrams: n1 = 1, n2 = 3, D' = 1/7.
    double lower = (2 - 1 / 7.0) / 7 + 1 / 7.0 * 4 / 7 / 5;
    double expected = (3 - 5 / 7.0) / 4 + 5 / 7.0 * 2 / 4 * lower;
    assertThat(probability(0, 1)).isCloseTo(expected, within(1e-12));
  }
}
