package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.train.TrainConfig;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SparkSessionsTest {
  private static final long PARAMETERS = 15_000_000;

  private record Settings(TrainConfig train) {}

  private static Map<String, String> forTraining(String exchange, Map<String, String> given) {
    TrainConfig train =
        ConfigLoader.of(List.of(), List.of("train.exchange=" + exchange))
            .read(Settings.class)
            .train();
    return SparkSessions.forTraining(PARAMETERS, train, given);
  }

  @Test
  void aShuffleOfSlicesNeitherCompressesNorAddsUpSums() {
    assertThat(forTraining("sliced", Map.of()))
        .containsEntry("spark.shuffle.compress", "false")
        .containsEntry("spark.shuffle.checksum.enabled", "false")
        .containsEntry("spark.shuffle.sort.bypassMergeThreshold", "0")
        .doesNotContainKey("spark.driver.maxResultSize");
    assertThat(forTraining("stock", Map.of()))
        .containsKey("spark.driver.maxResultSize")
        .doesNotContainKey("spark.shuffle.checksum.enabled");
  }

  @Test
  void whatTheUserSetsStays() {
    Map<String, String> given =
        Map.of(
            "spark.shuffle.checksum.enabled", "true",
            "spark.shuffle.sort.bypassMergeThreshold", "200",
            "spark.ui.retainedJobs", "5000");
    assertThat(forTraining("sliced", given)).containsAllEntriesOf(given);
  }

  /** spark-submit hands its settings to the driver as properties of its JVM. */
  @Test
  void whatSparkSubmitSetsStays() {
    String key = "spark.shuffle.sort.bypassMergeThreshold";
    System.setProperty(key, "200");
    try {
      assertThat(forTraining("sliced", Map.of()))
          .doesNotContainKey(key)
          .containsEntry("spark.shuffle.checksum.enabled", "false");
    } finally {
      System.clearProperty(key);
    }
  }
}
