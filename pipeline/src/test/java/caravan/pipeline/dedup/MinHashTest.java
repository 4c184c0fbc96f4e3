package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MinHashTest {
  private static final int PERMUTATIONS = 120;
  private static final LshBands BANDS = new LshBands(20, 6);

  private final SplittableRandom random = new SplittableRandom(7);

  @ParameterizedTest
  @CsvSource({"0.1, 200", "0.3, 50", "0.5, 1000", "0.7, 200", "0.8, 200", "0.9, 40", "0.95, 2000"})
  void theShareOfEqualPositionsEstimatesJaccard(double similarity, int size) {
    int trials = 300;
    double sum = 0;
    double squares = 0;
    double truth = 0;
    for (int trial = 0; trial < trials; trial++) {
      Pair pair = pair(similarity, size);
      MinHash minHash = new MinHash(PERMUTATIONS, trial);
      double estimate = MinHash.similarity(sign(minHash, pair.a), sign(minHash, pair.b));
      truth = pair.similarity();
      sum += estimate - truth;
      squares += (estimate - truth) * (estimate - truth);
    }
    double variance = truth * (1 - truth) / PERMUTATIONS;
    // Five standard errors of the mean; the spread is the binomial's.
    assertThat(sum / trials).isCloseTo(0, within(5 * Math.sqrt(variance / trials)));
    assertThat(squares / trials / variance).isBetween(0.7, 1.4);
  }

  @ParameterizedTest
  @CsvSource({"0.4", "0.5", "0.6", "0.7", "0.8", "0.9"})
  void bandsHitAtTheRateOfTheSCurve(double similarity) {
    int trials = 1500;
    int hits = 0;
    double truth = 0;
    for (int trial = 0; trial < trials; trial++) {
      Pair pair = pair(similarity, 300);
      MinHash minHash = new MinHash(PERMUTATIONS, trial);
      int[] a = sign(minHash, pair.a);
      int[] b = sign(minHash, pair.b);
      truth = pair.similarity();
      hits +=
          IntStream.range(0, 20).anyMatch(i -> BANDS.bucket(a, i) == BANDS.bucket(b, i)) ? 1 : 0;
    }
    double expected = 1 - Math.pow(1 - Math.pow(truth, 6), 20);
    assertThat(BANDS.hitRate(truth)).isEqualTo(expected);
    double error = Math.sqrt(Math.max(expected * (1 - expected), 0.001) / trials);
    assertThat((double) hits / trials).isCloseTo(expected, within(5 * error));
  }

  @ParameterizedTest
  @CsvSource({"0.5", "0.6", "0.7", "0.8"})
  void diagonalsHitNearlyAsOftenAsNewBandsWould(double similarity) {
    LshBands withDiagonals = new LshBands(20, 6, 10);
    int trials = 1500;
    int hits = 0;
    double truth = 0;
    for (int trial = 0; trial < trials; trial++) {
      Pair pair = pair(similarity, 300);
      MinHash minHash = new MinHash(PERMUTATIONS, trial);
      int[] a = sign(minHash, pair.a);
      int[] b = sign(minHash, pair.b);
      truth = pair.similarity();
      hits +=
          IntStream.range(0, 30)
                  .anyMatch(i -> withDiagonals.bucket(a, i) == withDiagonals.bucket(b, i))
              ? 1
              : 0;
    }
    double bands = BANDS.hitRate(truth);
    double asNew = new LshBands(30, 6).hitRate(truth);
    double error = Math.sqrt(Math.max(asNew * (1 - asNew), 0.001) / trials);
    assertThat((double) hits / trials)
        .isBetween(bands + 0.6 * (asNew - bands) - 5 * error, asNew + 5 * error);
  }

  @Test
  void diagonalsShareNoValueWithEachOther() {
    LshBands diagonals = new LshBands(20, 6, 20);
    int[] a = IntStream.range(0, 120).toArray();
    for (int value = 0; value < 120; value++) {
      int[] b = a.clone();
      b[value]++;
      assertThat(
              IntStream.range(20, 40).filter(i -> diagonals.bucket(a, i) != diagonals.bucket(b, i)))
          .hasSize(1);
    }
  }

  @Test
  void theOrderAndRepetitionOfShinglesChangeNothing() {
    MinHash minHash = new MinHash(PERMUTATIONS, 1);
    long[] once = {3L << 40, 5L << 50, -7L << 33, 11L << 60, 13L << 35};
    long[] mixed = {13L << 35, 3L << 40, 11L << 60, 3L << 40, -7L << 33, 5L << 50, 5L << 50};
    assertThat(sign(minHash, mixed)).isEqualTo(sign(minHash, once));
  }

  @Test
  void anotherSeedMeansOtherPermutations() {
    long[] set = pair(0.5, 50).a;
    assertThat(sign(new MinHash(PERMUTATIONS, 1), set))
        .isEqualTo(sign(new MinHash(PERMUTATIONS, 1), set))
        .isNotEqualTo(sign(new MinHash(PERMUTATIONS, 2), set));
  }

  @Test
  void equalRowsInDifferentBandsAreDifferentBuckets() {
    int[] constant = new int[120];
    assertThat(IntStream.range(0, 20).mapToLong(i -> BANDS.bucket(constant, i)).distinct())
        .hasSize(20);
  }

  @Test
  void aBucketDependsOnEveryRowOfItsBandAndNoOther() {
    int[] a = IntStream.range(0, 120).toArray();
    for (int row = 0; row < 120; row++) {
      int[] b = a.clone();
      b[row]++;
      for (int band = 0; band < 20; band++) {
        assertThat(BANDS.bucket(a, band) == BANDS.bucket(b, band)).isEqualTo(band != row / 6);
      }
    }
  }

  @Test
  void nothingHasNoSignature() {
    assertThatThrownBy(() -> new MinHash(4, 1).sign(new long[4], 0, new int[4]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("MinHash of no shingles: an empty set has no signature");
  }

  @Test
  void impossibleSizesAreRefused() {
    assertThatThrownBy(() -> new MinHash(0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("permutations: got 0, wanted 1 or more");
    assertThatThrownBy(() -> new LshBands(20, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("LSH bands: got 20 bands of 0 rows, wanted at least 1 of each");
  }

  private record Pair(long[] a, long[] b, int shared) {
    double similarity() {
      return (double) shared / (a.length + b.length - shared);
    }
  }

  /** Two sets of {@code size} random hashes each, with a Jaccard similarity near the wanted one. */
  private Pair pair(double similarity, int size) {
    int shared = (int) Math.round(2 * size * similarity / (1 + similarity));
    long[] a = random.longs(size).toArray();
    long[] b = random.longs(size).toArray();
    System.arraycopy(a, 0, b, 0, shared);
    return new Pair(a, b, shared);
  }

  private static int[] sign(MinHash minHash, long[] set) {
    int[] signature = new int[minHash.permutations()];
    minHash.sign(set, set.length, signature);
    return signature;
  }
}
