package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.ReferenceConf;
import java.util.List;
import org.junit.jupiter.api.Test;

class DedupConfigTest {
  @Test
  void theDefaultsFindNearDuplicatesFromSimilaritySevenTenths() {
    assertThat(ReferenceConf.read("dedup", DedupConfig.class))
        .isEqualTo(TestConfig.dedup(0.7, 0.4, 64, List.of()));
    assertThat(
            ReferenceConf.read("dedup", DedupConfig.class, "source-priority = [wiki, books]")
                .sourcePriority())
        .containsExactly("wiki", "books");
  }

  @Test
  void valuesOutOfRangeAreRefusedByName() {
    refused(0, 20, 6, 0.7, 64, "dedup.shingle-units: got 0, wanted a number from 1 to 100");
    refused(5, 1001, 6, 0.7, 64, "dedup.bands: got 1001, wanted a number from 1 to 1000");
    refused(5, 20, -1, 0.7, 64, "dedup.rows-per-band: got -1, wanted a number from 1 to 100");
    refused(5, 20, 6, 0.7, 0, "dedup.bucket-window: got 0, wanted a number from 1 to 10000");
    String wanted = ", wanted a Jaccard similarity above 0 and at most 1, such as 0.7";
    refused(5, 20, 6, 0, 64, "dedup.minimum-similarity: got 0.0" + wanted);
    refused(5, 20, 6, 70, 64, "dedup.minimum-similarity: got 70.0" + wanted);
    refused(5, 20, 6, Double.NaN, 64, "dedup.minimum-similarity: got NaN" + wanted);
  }

  @Test
  void aSourceNamedTwiceIsRefused() {
    assertThatThrownBy(() -> TestConfig.dedup(0.7, 64, List.of("a", "b", "a")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "dedup.source-priority: got [a, b, a], wanted each source once; remove the second"
                + " mention");
  }

  private static void refused(
      int units, int bands, int rows, double similarity, int window, String message) {
    assertThatThrownBy(
            () ->
                new DedupConfig(
                    units,
                    bands,
                    rows,
                    0,
                    similarity,
                    0,
                    window,
                    List.of(),
                    List.of(),
                    "",
                    TestConfig.lines(RepeatAction.OFF, 2),
                    TestConfig.substrings(RepeatAction.OFF, false)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }
}
