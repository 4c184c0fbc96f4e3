package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;

/** Once warm, a step takes no new memory outside the heap. */
class SteadyMemoryTest {
  private static final int STEPS = 1_000;
  private static final int WARM = 20;

  @ParameterizedTest(name = "bf16 {0}, recompute {1}")
  @CsvSource({"false, false", "true, true"})
  void a_thousand_steps_take_no_more_memory_outside_the_heap(boolean halves, boolean recomputes) {
    LlamaConfig config = Examples.config(4, 2, 16, true);
    TokenBatch batch = Examples.batch(config, 2, 32, 2);
    try (CpuEngine engine = new CpuEngine(config, 1, new CpuOptions(halves, recomputes));
        FloatPointer parameters =
            new FloatPointer(
                Examples.parameters(config, DataType.FLOAT, 1).dup().data().asFloat());
        FloatPointer gradient = new FloatPointer(new ParameterLayout(config).length())) {
      for (int step = 0; step < WARM; step++) {
        engine.lossAndGradient(parameters, gradient, batch);
      }
      long outside = Pointer.totalBytes();
      for (int step = 0; step < STEPS; step++) {
        engine.lossAndGradient(parameters, gradient, batch);
      }
      assertThat(Pointer.totalBytes()).as("bytes outside the heap").isEqualTo(outside);
    }
  }
}
