package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is said before a training is what the engine then holds. */
class TrainingMemoryOfCpuTest {

  @ParameterizedTest(name = "{0} × {1} tokens, {2} threads, tied {3}, bf16 {4}, dropout {5}")
  @CsvSource({
    "3, 17, 1, true,  false, 0",
    "2, 90, 2, false, false, 0",
    "1, 40, 1, true,  false, 0.1",
    "2, 33, 2, true,  true,  0.1",
  })
  void the_memory_told_beforehand_is_the_memory_that_a_step_takes(
      int sequences, int length, int threads, boolean tied, boolean halves, double dropout) {
    if (halves && !OneDnn.isUsable()) {
      assertThatThrownBy(() -> new CpuOptions(true, false))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("got bf16, which needs oneDNN");
      return;
    }
    LlamaConfig config = Examples.config(4, 2, 8, tied);
    CpuOptions options = new CpuOptions(halves, sequences % 2 == 1);
    TokenBatch batch = Examples.batch(config, sequences, length, 1);
    Objective objective = new Objective(0, 0, dropout, dropout, 1);
    long parameters = new ParameterLayout(config).length();
    try (CpuEngine engine = new CpuEngine(config, threads, options);
        FloatPointer weights = weights(parameters);
        FloatPointer gradient = new FloatPointer(parameters)) {
      engine.lossAndGradient(weights, gradient, batch, TrainingPass.whole(objective, 0, batch));
      assertThat(engine.trainingMemory())
          .isEqualTo(
              CpuEngine.trainingMemory(
                  config, Optional.empty(), sequences, length, threads, options, dropout > 0));
    }
  }

  @ParameterizedTest(name = "adapters beside {0}, products in bf16 {1}, dropout {2}, saved {3}")
  @CsvSource({
    "F32,  false, 0,   norm",
    "F32,  true,  0.1, embed_tokens",
    "BF16, false, 0.1, embed_tokens",
    "BF16, true,  0,   embed_tokens",
    "Q8_0, false, 0,   norm",
    "Q8_0, true,  0,   norm",
  })
  void besideAFrozenBaseToo(WeightType type, boolean halves, double dropout, String saved) {
    LlamaConfig config = Examples.config(4, 2, 8, true);
    CpuOptions options = new CpuOptions(halves && OneDnn.isUsable(), false);
    LoraConfig lora = new LoraConfig(3, 6, dropout, LoraConfig.PROJECTIONS, false, List.of(saved));
    AdapterLayout layout = new AdapterLayout(config, lora);
    TokenBatch batch = Examples.batch(config, 2, 21, 1);
    ParameterLayout whole = new ParameterLayout(config);
    try (FloatPointer parameters = weights(whole.length());
        FrozenBase base = base(config, type, parameters);
        CpuEngine engine = new CpuEngine(layout, base, 2, options);
        FloatPointer trained = weights(layout.length());
        FloatPointer gradient = new FloatPointer(layout.length())) {
      engine.lossAndGradient(
          trained, gradient, batch, TrainingPass.whole(Objective.PLAIN, 0, batch));
      assertThat(engine.trainingMemory())
          .isEqualTo(
              CpuEngine.trainingMemory(
                  config,
                  Optional.of(new CpuEngine.Frozen(layout, type)),
                  2,
                  21,
                  2,
                  options,
                  false));
      assertThat(base.bytes()).isEqualTo(FrozenBase.bytes(config, type));
    }
  }

  private static FrozenBase base(LlamaConfig config, WeightType type, FloatPointer parameters) {
    if (type == WeightType.F32) {
      return new FrozenBase(config, parameters);
    }
    FrozenBase base = FrozenBase.packed(config, type);
    for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
      base.put(tensor.offset(), parameters.getPointer(tensor.offset()), tensor.length());
    }
    return base;
  }

  private static FloatPointer weights(long length) {
    float[] values = new float[(int) length];
    Arrays.fill(values, 0.01f);
    return new FloatPointer(values);
  }
}
