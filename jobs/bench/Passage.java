import caravan.pipeline.dedup.LshBands;
import caravan.pipeline.dedup.MinHash;
import caravan.pipeline.dedup.Shingles;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Prints a passage that puts every text which holds it into one bucket of the first LSH band, under dedup's default
 * settings: of a million random shingles those that are smallest under the band's permutations.
 */
class Passage {
  private static final int WORDS = 1_000_000;
  private static final int SHINGLE = 5;
  private static final long SEED = 42;

  public static void main(String[] args) {
    Random random = new Random(1);
    String[] words =
        IntStream.range(0, WORDS).mapToObj(i -> Integer.toString(random.nextInt(36 * 36 * 36 * 36), 36)).toArray(String[]::new);
    LshBands bands = new LshBands(20, 6, 10);
    MinHash minHash = new MinHash(bands.permutations(), SEED);
    Shingles shingles = new Shingles(SHINGLE);
    int count = shingles.read(Arrays.stream(words).collect(Collectors.joining(" ")));
    int[] all = new int[bands.permutations()];
    int[] one = new int[bands.permutations()];
    minHash.sign(shingles.hashes(), count, all);
    String[] passage = new String[bands.rows()];
    for (int at = 0; at < count; at++) {
      minHash.sign(new long[] {shingles.hashes()[at]}, 1, one);
      for (int row = 0; row < passage.length; row++) {
        if (one[row] == all[row]) {
          passage[row] = String.join(" ", Arrays.copyOfRange(words, at, at + SHINGLE));
        }
      }
    }
    System.out.println(String.join(" ", passage));
  }
}
