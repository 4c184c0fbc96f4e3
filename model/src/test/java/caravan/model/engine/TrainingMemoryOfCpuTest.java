package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.Arrays;
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
              CpuEngine.trainingMemory(config, sequences, length, threads, options, dropout > 0));
    }
  }

  private static FloatPointer weights(long length) {
    float[] values = new float[(int) length];
    Arrays.fill(values, 0.01f);
    return new FloatPointer(values);
  }
}
