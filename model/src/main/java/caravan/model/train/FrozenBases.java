package caravan.model.train;

import caravan.model.Adaptation;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.Checkpoints;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.WeightType;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;

/**
 * The bases that this JVM's adapters stand beside: each is opened once, for all workers. One of
 * floats is the checkpoint's own memory, mapped where that is possible; others are packed tensor by
 * tensor, so that there is never a whole copy in floats.
 */
final class FrozenBases {
  private static final Map<Key, Open> OPEN = new HashMap<>();

  private record Key(String path, WeightType weights) {}

  private record Open(FrozenBase base, Runnable close) {}

  private FrozenBases() {}

  /**
   * @throws IllegalArgumentException when there is no checkpoint where the base should be
   */
  static synchronized FrozenBase open(Adaptation adaptation) {
    Key key = new Key(adaptation.base(), adaptation.baseWeights());
    return OPEN.computeIfAbsent(key, FrozenBases::read).base();
  }

  private static Open read(Key key) {
    if (key.weights() == WeightType.F32) {
      Checkpoint whole = Checkpoints.open(key.path(), hadoop());
      return new Open(new FrozenBase(whole.config(), whole.parameters()), whole::close);
    }
    AtomicReference<FrozenBase> packed = new AtomicReference<>();
    try {
      Checkpoints.read(
          key.path(),
          hadoop(),
          Optional.empty(),
          config -> {
            packed.set(FrozenBase.packed(config, key.weights()));
            return packed.get()::put;
          });
      return new Open(packed.get(), packed.get()::close);
    } catch (RuntimeException e) {
      if (packed.get() != null) {
        packed.get().close();
      }
      throw e;
    }
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
    OPEN.values().forEach(open -> open.close().run());
    OPEN.clear();
  }
}
