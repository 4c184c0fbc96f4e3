package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChainDriftSparkTest {
  private static final double BOUND = 0.4;
  private static final int LINKS = 30;

  private final RandomTexts random = new RandomTexts(31);

  @TempDir Path directory;

  @Test
  void aChainIsCutWhereItsTextsAreNoLongerSimilarToWhatStays() {
    DedupStage stage = new DedupStage(TestConfig.dedup(0.7, BOUND, 64, List.of()), 42);
    List<Document> chain = chain();
    Map<String, String> verdicts = new IndexedDays(directory, null).verdicts(stage, chain);
    Set<String> kept = IndexedDays.kept(verdicts);
    assertThat(kept).hasSizeBetween(3, 8).contains("link-00");
    for (Document link : chain) {
      if (!kept.contains(link.id())) {
        Twin twin =
            Twin.of(verdicts.get(link.id()).replaceFirst("near_duplicate ", "")).orElseThrow();
        assertThat(kept).contains(twin.id());
        assertThat(twin.similarity()).isGreaterThanOrEqualTo(BOUND);
      }
    }
    assertThat(stage.counts())
        .hasEntrySatisfying("cluster_rounds", rounds -> assertThat(rounds).isBetween(2L, 8L))
        .hasEntrySatisfying("spared_documents", spared -> assertThat(spared).isGreaterThan(14))
        .hasEntrySatisfying("largest_cluster", size -> assertThat(size).isLessThan(14))
        .hasEntrySatisfying(
            "least_similarity_thousandths",
            least -> assertThat(least).isGreaterThanOrEqualTo(Math.round(1000 * BOUND)))
        .containsEntry("documents_in_clusters", (long) LINKS)
        .doesNotContainKey("unsettled_documents");

    Collections.shuffle(chain, new Random(7));
    assertThat(new IndexedDays(directory, null).verdicts(stage, chain)).isEqualTo(verdicts);
  }

  @Test
  void withoutABoundTheWholeChainFalls() {
    DedupStage stage = new DedupStage(TestConfig.dedup(0.7, 0, 64, List.of()), 42);
    Map<String, String> verdicts = new IndexedDays(directory, null).verdicts(stage, chain());
    assertThat(IndexedDays.kept(verdicts)).containsExactly("link-00");
    assertThat(stage.counts())
        .containsEntry("largest_cluster", (long) LINKS)
        .containsEntry("spared_documents", 0L)
        .containsEntry("least_similarity_thousandths", 0L);
  }

  @Test
  void aLinkOfALaterDayFallsOnlyAsFarAsTheBoundReaches() {
    IndexedDays days = new IndexedDays(directory, TestConfig.dedup(0.7, BOUND, 64, List.of()));
    List<Document> chain = chain();
    days.run("first", chain.subList(0, 6));
    Map<String, String> verdicts = days.run("second", chain.subList(6, 20));
    Set<String> kept = IndexedDays.kept(verdicts);
    assertThat(kept).isNotEmpty();
    assertThat(verdicts)
        .allSatisfy((id, verdict) -> assertThat(verdict).matches("kept|.*, Jaccard 0.[4-9].*"));
    assertThat(days.counts().get(DedupStage.DROPPED_FOR_EARLIER)).isPositive();
  }

  /** Each text shares nine tenths with the one before; the first is the longest by far. */
  private List<Document> chain() {
    String[] units = random.words(20 * LINKS).split(" ");
    List<Document> chain = new ArrayList<>();
    for (int link = 0; link < LINKS; link++) {
      int from = 8 * link;
      String[] window = Arrays.copyOfRange(units, from, from + 200 - link);
      chain.add(
          new Document(
              "link-%02d".formatted(link), "test", "a", "en", String.join(" ", window), Map.of()));
    }
    return chain;
  }
}
