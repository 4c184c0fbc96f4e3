package caravan.model.train;

import caravan.model.Adaptation;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.engine.FrozenBase;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;

/** The bases that this JVM's adapters stand beside: each is opened once, for all workers. */
final class FrozenBases {
  private static final Map<String, Checkpoint> OPEN = new HashMap<>();

  private FrozenBases() {}

  /**
   * @throws IllegalArgumentException when there is no checkpoint where the base should be
   */
  static synchronized FrozenBase open(Adaptation adaptation) {
    Checkpoint base =
        OPEN.computeIfAbsent(adaptation.base(), path -> Checkpoints.open(path, hadoop()));
    return new FrozenBase(base.config(), base.parameters());
  }

  /** Access to files as the running task or driver has it. */
  private static Configuration hadoop() {
    SparkEnv spark = SparkEnv.get();
    return spark == null
        ? new Configuration()
        : SparkHadoopUtil.get().newConfiguration(spark.conf());
  }

  /** Frees them, when no engine uses them any more. */
  static synchronized void release() {
    OPEN.values().forEach(Checkpoint::close);
    OPEN.clear();
  }
}
