import caravan.pipeline.dedup.LshBands;
import caravan.pipeline.dedup.MinHash;
import caravan.pipeline.dedup.Shingles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;

/**
 * Of each line of a file, two texts with a tab between them: the texts' Jaccard similarity, whether they share a bucket of the
 * LSH bands proper, and what share of such pairs should. Under dedup's default settings.
 */
class BandHits {
  private static final LshBands BANDS = new LshBands(20, 6);
  private static final MinHash MIN_HASH = new MinHash(BANDS.permutations(), 42);
  private static final Shingles SHINGLES = new Shingles(5);

  public static void main(String[] args) throws Exception {
    StringBuilder out = new StringBuilder();
    for (String line : Files.readAllLines(Path.of(args[0]))) {
      String[] pair = line.split("\t", 2);
      double similarity = Shingles.jaccard(SHINGLES.set(pair[0]), SHINGLES.set(pair[1]));
      int[] a = signature(pair[0]);
      int[] b = signature(pair[1]);
      boolean hit = IntStream.range(0, BANDS.bands()).anyMatch(band -> BANDS.bucket(a, band) == BANDS.bucket(b, band));
      out.append(similarity).append(' ').append(hit ? 1 : 0).append(' ').append(BANDS.hitRate(similarity)).append('\n');
    }
    System.out.print(out);
  }

  private static int[] signature(String text) {
    int[] signature = new int[BANDS.permutations()];
    int count = SHINGLES.read(text);
    MIN_HASH.sign(SHINGLES.hashes(), count, signature);
    return signature;
  }
}
