package caravan.model.checkpoint;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;

/** Small models with distinct random values, for tests of file formats. */
final class TinyLlama {
  static final LlamaConfig TIED = new LlamaConfig(12, 20, 2, 4, 2, 6, 17, 32, 10000, 1e-5, true);
  static final LlamaConfig UNTIED =
      new LlamaConfig(12, 20, 2, 3, 3, 4, 17, 32, 500000, 1e-6, false);

  private TinyLlama() {}

  static FloatPointer random(LlamaConfig config, long seed) {
    float[] values = new float[(int) new ParameterLayout(config).length()];
    Random random = new Random(seed);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new FloatPointer(values);
  }

  static float[] floats(FloatPointer pointer, LlamaConfig config) {
    float[] values = new float[(int) new ParameterLayout(config).length()];
    pointer.get(values);
    return values;
  }

  private static OptimizerState moments(LlamaConfig config, long seed) {
    return new OptimizerState(
        List.of(random(config, seed + 1), random(config, seed + 2)),
        new ParameterLayout(config).length());
  }

  /** A checkpoint with everything in it. */
  static Checkpoint checkpoint(LlamaConfig config, long seed) {
    Map<String, Object> state = new LinkedHashMap<>();
    state.put("step", 400);
    state.put("tokensSeen", 12_345_678_901L);
    state.put("validationLoss", 1.25);
    return new Checkpoint(
        config,
        SpecialTokens.of(1, 2),
        random(config, seed),
        Optional.of(moments(config, seed)),
        Optional.of(random(config, seed + 3)),
        state,
        Map.of("tokenizer.model", new byte[] {10, 11, 12}));
  }
}
