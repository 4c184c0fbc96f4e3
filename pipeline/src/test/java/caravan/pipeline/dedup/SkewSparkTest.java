package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Tagged;
import caravan.pipeline.TestDocuments;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** One LSH bucket that holds a third of all documents, though they are unlike. */
class SkewSparkTest {
  private static final int WINDOW = 16;
  private static final long SEED = 42;
  private static final DedupConfig CONFIG = TestConfig.dedup(0.7, WINDOW, List.of());
  private static final LshBands BANDS = new LshBands(20, 6, 10);

  private final RandomTexts random = new RandomTexts(31);

  /**
   * A passage that decides all rows of the first band for every text that holds it: of 200,000
   * shingles those that are smallest under the band's permutations.
   */
  private String passage() {
    String[] words = random.words(200_000).split(" ");
    Shingles shingles = new Shingles(5);
    int count = shingles.read(String.join(" ", words));
    MinHash minHash = new MinHash(BANDS.permutations(), SEED);
    int[] all = new int[BANDS.permutations()];
    minHash.sign(shingles.hashes(), count, all);
    String[] passage = new String[BANDS.rows()];
    int[] one = new int[BANDS.permutations()];
    for (int at = 0; at < count; at++) {
      minHash.sign(new long[] {shingles.hashes()[at]}, 1, one);
      for (int row = 0; row < passage.length; row++) {
        if (one[row] == all[row]) {
          passage[row] = String.join(" ", Arrays.copyOfRange(words, at, at + 5));
        }
      }
    }
    return String.join(" ", passage);
  }

  private static long largestBucket(List<Document> documents) {
    Shingles shingles = new Shingles(5);
    MinHash minHash = new MinHash(BANDS.permutations(), SEED);
    int[] signature = new int[BANDS.permutations()];
    Map<Long, Long> members = new HashMap<>();
    for (Document d : documents) {
      int count = shingles.read(d.text());
      minHash.sign(shingles.hashes(), count, signature);
      members.merge(BANDS.bucket(signature, 0), 1L, Long::sum);
    }
    return members.values().stream().mapToLong(Long::longValue).max().orElseThrow();
  }

  private List<Document> corpus(int size) {
    String passage = passage();
    List<Document> documents = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      String text = (i % 3 == 0 ? passage + " " : "") + random.words(120);
      documents.add(new Document("d-" + i, "test", "a.jsonl", "en", text, Map.of()));
    }
    return documents;
  }

  @Test
  void unlikeDocumentsInOneBucketAreComparedWithAFewNeighboursEach() {
    int size = 1500;
    List<Document> documents = corpus(size);
    assertThat(largestBucket(documents)).isBetween(size / 3 * 97L / 100, size / 3 * 103L / 100);
    DedupStage stage = new DedupStage(CONFIG, SEED);
    List<Tagged> tagged = stage.apply(TestDocuments.readers(documents, 4)).collect();
    assertThat(tagged).hasSize(size).allMatch(t -> t.reason().equals("kept"));
    long neighbours = 5; // at the distances 1, 2, 4, 8 and 16
    assertThat(stage.counts().get("candidate_pairs"))
        .isBetween(neighbours * size / 3 * 9 / 10, neighbours * size / 3 + WINDOW * WINDOW);
  }
}
