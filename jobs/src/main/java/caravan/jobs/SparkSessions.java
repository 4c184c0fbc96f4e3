package caravan.jobs;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;

/** Spark sessions: embedded in this JVM, or on the cluster that spark-submit names. */
public final class SparkSessions {
  private SparkSessions() {}

  /**
   * Opens a session. A master given here wins over spark-submit's; with neither, Spark runs inside
   * this JVM on all cores.
   *
   * @param defaults {@code spark.*} keys that hold unless spark-submit or {@code properties} has
   *     them
   * @param properties {@code spark.*} keys; they win over everything that is set here
   */
  public static SparkSession open(
      String name,
      Optional<String> master,
      Map<String, String> defaults,
      Map<String, String> properties) {
    SparkSession spark =
        SparkSession.builder().config(conf(name, master, defaults, properties)).getOrCreate();
    spark.sparkContext().addSparkListener(new SparkProgress(name));
    return spark;
  }

  /** Access to files as a session with these properties would have it, without opening one. */
  public static Configuration hadoop(Map<String, String> defaults, Map<String, String> properties) {
    return SparkHadoopUtil.get()
        .newConfiguration(conf("files", Optional.empty(), defaults, properties));
  }

  private static SparkConf conf(
      String name,
      Optional<String> master,
      Map<String, String> defaults,
      Map<String, String> properties) {
    SparkConf conf = new SparkConf().setAppName(name);
    defaults.forEach(conf::setIfMissing);
    master.ifPresent(conf::setMaster);
    if (!conf.contains("spark.master")) {
      conf.setMaster("local[*]");
    }
    if (conf.get("spark.master").startsWith("local")) {
      conf.setIfMissing("spark.driver.host", "localhost");
      conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1");
      conf.setIfMissing("spark.ui.enabled", "false");
      // 200 shuffle partitions cost more than they carry on one machine.
      conf.setIfMissing(
          "spark.sql.shuffle.partitions",
          String.valueOf(4 * Runtime.getRuntime().availableProcessors()));
    }
    conf.setIfMissing("spark.sql.session.timeZone", "UTC");
    // ND4J's threads spin at every operation's end, and each training task has a core of its own.
    conf.setIfMissing("spark.executorEnv.OMP_NUM_THREADS", "1");
    conf.setIfMissing("spark.sql.parquet.compression.codec", "zstd");
    properties.forEach(conf::set);
    conf.set("spark.ui.showConsoleProgress", "false");
    return conf;
  }

  /**
   * What a driver must accept from its workers when parameters are averaged: one result of all
   * workers (parameters and both moments, float32), and as much again for serialization.
   */
  public static Map<String, String> forTraining(
      long parameters, int workers, Map<String, String> properties) {
    long bytes = Math.max(1L << 30, 2L * workers * parameters * Float.BYTES * 3);
    Map<String, String> all = new HashMap<>(properties);
    if (!new SparkConf().contains("spark.driver.maxResultSize")) {
      all.putIfAbsent("spark.driver.maxResultSize", (bytes >> 20) + "m");
    }
    return all;
  }
}
