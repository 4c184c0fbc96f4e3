package caravan.model.train;

import caravan.model.LlamaConfig;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** What tests of small trainings share. */
final class Trainings {
  /** A model of some thousand parameters over 23 ids. */
  static final LlamaConfig MODEL = new LlamaConfig(16, 24, 2, 4, 2, 4, 23, 12, 10000, 1e-5, true);

  private Trainings() {}

  /** Two cores of this JVM. */
  static JavaSparkContext spark(String name) {
    return new JavaSparkContext(
        new SparkConf().setMaster("local[2]").setAppName(name).set("spark.ui.enabled", "false"));
  }

  /** What the checkpoint of a step holds. */
  static float[] parameters(Path output, long step) {
    try (Checkpoint checkpoint =
        new CheckpointStore(output.toString(), new Configuration()).load(step)) {
      float[] values = new float[(int) checkpoint.parameters().capacity()];
      checkpoint.parameters().get(values);
      return values;
    }
  }
}
