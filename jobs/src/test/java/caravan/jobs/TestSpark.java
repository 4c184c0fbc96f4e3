package caravan.jobs;

import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;

/** One Spark session for all tests of this JVM, opened as a command opens its own. */
public final class TestSpark {
  private static SparkSession session;

  private TestSpark() {}

  public static synchronized SparkSession session() {
    if (session == null || session.sparkContext().isStopped()) {
      session =
          SparkSessions.open(
              "tests",
              Optional.of("local[2]"),
              Map.of(),
              Map.of("spark.sql.shuffle.partitions", "3"));
    }
    return session;
  }
}
