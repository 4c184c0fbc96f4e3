package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.Optional;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;

class RecomputeTest {
  private static final LlamaConfig DEEP =
      new LlamaConfig(32, 40, 5, 4, 2, 8, 61, 90, 10_000, 1e-5, true);

  private static float[] gradient(CpuOptions options, int threads, double dropout) {
    TokenBatch batch = Examples.batch(DEEP, 3, 33, 2);
    Objective objective = new Objective(0, 0, dropout, dropout, 1);
    int length = (int) new ParameterLayout(DEEP).length();
    try (CpuEngine engine = new CpuEngine(DEEP, threads, options);
        FloatPointer parameters =
            new FloatPointer(Examples.parameters(DEEP, DataType.FLOAT, 1).dup().data().asFloat());
        FloatPointer gradient = new FloatPointer(length)) {
      engine.lossAndGradient(parameters, gradient, batch, TrainingPass.whole(objective, 3, batch));
      float[] values = new float[length];
      gradient.get(values);
      return values;
    }
  }

  @ParameterizedTest(name = "bf16 {0}, {1} threads, dropout {2}")
  @CsvSource({"false, 1, 0", "false, 2, 0.2", "true, 2, 0", "true, 2, 0.2"})
  void gradients_are_equal_bit_for_bit(boolean halves, int threads, double dropout) {
    assertThat(gradient(new CpuOptions(halves, true), threads, dropout))
        .isEqualTo(gradient(new CpuOptions(halves, false), threads, dropout));
  }

  private static long activationBytes(LlamaConfig model, boolean recomputes) {
    CpuOptions options = new CpuOptions(false, recomputes);
    return CpuEngine.trainingMemory(model, Optional.empty(), 4, 256, 2, options, false)
        .get("activations");
  }

  @Test
  void it_keeps_less_by_what_all_blocks_but_one_would_keep() {
    LlamaConfig model = new LlamaConfig(768, 2048, 12, 12, 12, 64, 32000, 256, 10_000, 1e-5, true);
    long all = activationBytes(model, false);
    long less = activationBytes(model, true);
    // Per token of a block: two normalized inputs, the stream between its halves, queries, keys
    // and values, what attention gives, gates and ups, two reciprocals, a logarithm per head.
    long block = 4L * (3 * 768 + 3 * 768 + 768 + 2 * 2048 + 2 + 12);
    assertThat(all - less).isEqualTo(11 * (1024 * block + 9 * Buffer.bytesOf(0)));
  }
}
