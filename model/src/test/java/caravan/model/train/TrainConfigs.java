package caravan.model.train;

import java.lang.reflect.Constructor;
import java.lang.reflect.RecordComponent;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Training settings for tests. */
final class TrainConfigs {
  /** A few steps of a tiny model; every option beyond is off. */
  static final TrainConfig SMALL =
      new TrainConfig(
          8,
          1,
          4,
          12,
          3,
          0.02,
          0.002,
          4,
          "cosine",
          0.1,
          0.9,
          0.95,
          1e-8,
          0.1,
          1,
          6,
          2,
          100,
          0,
          "cpu",
          1,
          "fp32",
          "none",
          0,
          0,
          0,
          EarlyStoppingConfig.NEVER,
          0,
          0,
          0,
          1,
          false,
          List.of(),
          0,
          LossConfig.DEFAULT,
          DropoutConfig.DEFAULT,
          OptimizerConfig.DEFAULT,
          DecayConfig.DEFAULT,
          "stock",
          "average",
          "recompute",
          OuterConfig.DEFAULT,
          0,
          "cross",
          "fp32");

  private TrainConfigs() {}

  /** The same settings with other values of some components, by their names. */
  static TrainConfig with(TrainConfig config, Map<String, Object> changes) {
    Map<String, Object> left = new HashMap<>(changes);
    RecordComponent[] components = TrainConfig.class.getRecordComponents();
    Class<?>[] types = new Class<?>[components.length];
    Object[] values = new Object[components.length];
    try {
      for (int i = 0; i < components.length; i++) {
        String name = components[i].getName();
        types[i] = components[i].getType();
        values[i] =
            left.containsKey(name) ? left.remove(name) : components[i].getAccessor().invoke(config);
      }
      if (!left.isEmpty()) {
        throw new IllegalArgumentException("no such settings: " + left.keySet());
      }
      Constructor<TrainConfig> constructor = TrainConfig.class.getDeclaredConstructor(types);
      return constructor.newInstance(values);
    } catch (java.lang.reflect.InvocationTargetException e) {
      throw (RuntimeException) e.getCause();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
