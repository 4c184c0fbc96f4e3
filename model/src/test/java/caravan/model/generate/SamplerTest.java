package caravan.model.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.BitSet;
import org.junit.jupiter.api.Test;

class SamplerTest {
  private static final float[] LOGITS = {1f, 3f, -2f, 3f, 2f};
  private static final int DRAWS = 40_000;

  @Test
  void temperatureZeroTakesTheLowestIdOfTheHighestLogit() {
    Sampler sampler = new Sampler(0, 3, 0.5, 7);
    for (int i = 0; i < 10; i++) {
      assertThat(sampler.sample(LOGITS)).isEqualTo(1);
    }
    assertThat(Sampler.greedy().sample(new float[] {-0f, 0f})).isZero();
  }

  @Test
  void withoutCutsTokensAreDrawnByTheSoftmaxOfTheirLogits() {
    double[] wanted = softmax(LOGITS, 1);
    assertClose(frequencies(new Sampler(1, 0, 1, 1)), wanted);
    assertClose(frequencies(new Sampler(2.5, 0, 1, 2)), softmax(LOGITS, 2.5));
  }

  @Test
  void topKKeepsTheKHighestAndPrefersLowIdsAmongEquals() {
    assertThat(new Sampler(1, 1, 1, 3).sample(LOGITS)).isEqualTo(1);
    double[] two = frequencies(new Sampler(1, 2, 1, 3));
    assertClose(two, new double[] {0, .5, 0, .5, 0});
    double[] three = frequencies(new Sampler(1, 3, 1, 3));
    double e = Math.exp(-1);
    assertClose(three, new double[] {0, 1 / (2 + e), 0, 1 / (2 + e), e / (2 + e)});
    assertThat(frequencies(new Sampler(1, 99, 1, 3))[2]).isPositive();
  }

  @Test
  void topPKeepsTheSmallestNucleusThatReachesTheMass() {
    // Probabilities: .400 (1), .400 (3), .147 (4), .054 (0), .003 (2).
    assertClose(frequencies(new Sampler(1, 0, 0.39, 4)), new double[] {0, 1, 0, 0, 0});
    assertClose(frequencies(new Sampler(1, 0, 0.5, 4)), new double[] {0, .5, 0, .5, 0});
    double[] three = frequencies(new Sampler(1, 0, 0.9, 4));
    assertThat(three[0]).isZero();
    assertThat(three[2]).isZero();
    assertThat(three[4]).isBetween(.14, .17);
    assertClose(frequencies(new Sampler(1, 0, 1e-9, 4)), new double[] {0, 1, 0, 0, 0});
  }

  @Test
  void topPIsTakenOfWhatTopKLeft() {
    // Of the two best, .5 each, a mass of .45 needs only the first.
    assertClose(frequencies(new Sampler(1, 2, 0.45, 4)), new double[] {0, 1, 0, 0, 0});
  }

  @Test
  void minPKeepsWhatIsProbableEnoughBesideTheBest() {
    // Beside the best (1): 1 (3), .368 (4), .135 (0), .007 (2).
    double[] two = frequencies(new Sampler(new Sampling(1, 0, 1, 0.4, 1), 4));
    assertClose(two, new double[] {0, .5, 0, .5, 0});
    double[] three = frequencies(new Sampler(new Sampling(1, 0, 1, 0.3, 1), 4));
    assertThat(three[4]).isBetween(.14, .17);
    assertThat(three[0]).isZero();
    // At a temperature of 2 the fourth has .368 of the best.
    assertThat(frequencies(new Sampler(new Sampling(2, 0, 1, 0.3, 1), 4))[0]).isPositive();
    assertClose(
        frequencies(new Sampler(new Sampling(1, 1, 1, 1, 1), 4)), new double[] {0, 1, 0, 0, 0});
  }

  @Test
  void aRepetitionPenaltyWeakensWhatWasSeenAndLeavesTheLogitsAsTheyAre() {
    float[] logits = {2f, 1.9f, -1f, -1.1f};
    float[] before = logits.clone();
    BitSet seen = new BitSet();
    seen.set(0);
    seen.set(2);
    Sampler greedy = new Sampler(new Sampling(0, 0, 1, 0, 1.3), 1);
    assertThat(greedy.sample(logits, new BitSet())).isZero();
    assertThat(greedy.sample(logits, seen)).isEqualTo(1);
    assertThat(logits).containsExactly(before);
    // −1 · 1.3 lies below −1.1.
    float[] negative = {-9f, -9f, -1f, -1.1f};
    assertThat(greedy.sample(negative, seen)).isEqualTo(3);
    assertThat(Sampler.greedy().sample(negative, seen)).isEqualTo(2);
  }

  @Test
  void theSameSeedDrawsTheSameTokens() {
    assertThat(draws(new Sampler(1, 0, 0.95, 11))).isEqualTo(draws(new Sampler(1, 0, 0.95, 11)));
    assertThat(draws(new Sampler(1, 0, 0.95, 11))).isNotEqualTo(draws(new Sampler(1, 0, 0.95, 12)));
  }

  @Test
  void aTinyTemperatureDoesNotOverflow() {
    assertThat(new Sampler(1e-30, 0, 0.9, 1).sample(new float[] {-3e38f, 5f, 3e38f})).isEqualTo(2);
  }

  @Test
  void brokenLogitsAndSettingsAreRefused() {
    assertThatThrownBy(() -> Sampler.greedy().sample(new float[] {1, Float.NaN}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "logit of token 1 is NaN: the model's weights are damaged or its training diverged");
    assertThatThrownBy(() -> new Sampler(-1, 0, 1, 0))
        .hasMessage("temperature: got -1.0, wanted 0 (greedy) or more");
    assertThatThrownBy(() -> new Sampler(1, -1, 1, 0))
        .hasMessage("top-k: got -1, wanted 0 (all) or more");
    assertThatThrownBy(() -> new Sampler(1, 0, 0, 0))
        .hasMessage("top-p: got 0.0, wanted above 0 and at most 1");
  }

  private static int[] draws(Sampler sampler) {
    int[] draws = new int[100];
    Arrays.setAll(draws, i -> sampler.sample(LOGITS));
    return draws;
  }

  private static double[] frequencies(Sampler sampler) {
    double[] frequencies = new double[LOGITS.length];
    for (int i = 0; i < DRAWS; i++) {
      frequencies[sampler.sample(LOGITS)] += 1.0 / DRAWS;
    }
    return frequencies;
  }

  private static double[] softmax(float[] logits, double temperature) {
    double[] weights = new double[logits.length];
    Arrays.setAll(weights, i -> Math.exp(logits[i] / temperature));
    double sum = Arrays.stream(weights).sum();
    return Arrays.stream(weights).map(w -> w / sum).toArray();
  }

  /** Five standard errors of a share over {@link #DRAWS} draws are below .0125. */
  private static void assertClose(double[] got, double[] wanted) {
    for (int i = 0; i < got.length; i++) {
      assertThat(got[i]).as("token " + i).isBetween(wanted[i] - .0125, wanted[i] + .0125);
      if (wanted[i] == 0) {
        assertThat(got[i]).as("token " + i).isZero();
      }
    }
  }
}
