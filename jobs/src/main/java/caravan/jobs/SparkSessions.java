package caravan.jobs;

import caravan.model.train.TrainConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;

/** Spark sessions: embedded in this JVM, or on the cluster that spark-submit names. */
public final class SparkSessions {
  private static final long MEBI = 1L << 20;

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

  /** Loads the classes that open a local file. */
  static void warmUp() {
    try {
      FileSystem.getLocal(hadoop(Map.of(), Map.of()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
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
   * What Spark needs to train a model, where it is not set already. Averaged on the driver: a limit
   * of results that takes those of all workers (parameters and optimizer state, float32), and as
   * much again for serialization. In slices: a shuffle that does not compress, which floats hardly
   * are, nor adds up sums, which Spark would look at for compressed data alone, and that writes all
   * slices of a worker into one file, not into one each to copy them together. Both: executors'
   * memory beside their heaps, where the model lies.
   *
   * @param parameters of the model that is trained and averaged
   */
  public static Map<String, String> forTraining(
      long parameters, TrainConfig train, Map<String, String> properties) {
    Map<String, String> needed = new HashMap<>();
    if (train.exchange().equals("stock")) {
      long bytes = 2L * train.workers() * parameters * Float.BYTES * 3;
      needed.put("spark.driver.maxResultSize", Math.max(1L << 30, bytes) / MEBI + "m");
    } else {
      needed.put("spark.shuffle.compress", "false");
      needed.put("spark.shuffle.checksum.enabled", "false");
      needed.put("spark.shuffle.sort.bypassMergeThreshold", "0");
    }
    // Parameters, gradient, two moments, buffers of a step, and what changes are measured from.
    int copies = train.exchangePrecision().equals("fp32") ? 5 : 6;
    long offHeap = copies * parameters * Float.BYTES + 512 * MEBI;
    needed.put("spark.executor.memoryOverhead", offHeap / MEBI + "m");
    // Spark remembers that many of its finished tasks in the driver's heap.
    needed.put("spark.ui.retainedTasks", "1000");
    needed.put("spark.ui.retainedJobs", "100");
    needed.put("spark.ui.retainedStages", "100");
    SparkConf given = new SparkConf();
    needed.keySet().removeIf(given::contains);
    needed.putAll(properties);
    return needed;
  }
}
