package caravan.pipeline;

import org.apache.spark.sql.SparkSession;

/** The one Spark session of a test JVM. */
public final class TestSpark {
  private TestSpark() {}

  public static synchronized SparkSession session() {
    return SparkSession.builder()
        .master("local[2]")
        .appName("tests")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.warehouse.dir", "target/warehouse")
        .getOrCreate();
  }
}
