package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.Arrays;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/** What training optimizes beside cross entropy, and steps made of several batches. */
class ObjectiveTest {
  private static final int STEP = 7;

  @ParameterizedTest(name = "z-loss {0}, smoothing {1}, dropout {2} and {3}, {4} threads")
  @CsvSource({
    "0.3, 0,   0,    0,   1",
    "0,   0.2, 0,    0,   2",
    "0.3, 0.2, 0,    0,   1",
    "0,   0,   0.25, 0,   2",
    "0,   0,   0,    0.4, 1",
    "0.1, 0.1, 0.1,  0.5, 3",
  })
  void loss_and_gradient_equal_the_oracle_in_double(
      double z, double smoothing, double embedding, double residual, int threads) {
    LlamaConfig config = Examples.config(4, 2, 8, threads == 2);
    TokenBatch batch = Examples.batch(config, 3, 19, 2);
    TrainingPass pass =
        TrainingPass.whole(new Objective(z, smoothing, embedding, residual, 5), STEP, batch);
    INDArray exact = Examples.parameters(config, DataType.DOUBLE, 1);
    INDArray expected = exact.ulike();
    TrainingPass.Loss wanted =
        new Nd4jEngine(config, DataType.DOUBLE).lossAndGradient(exact, expected, batch, pass);
    try (CpuEngine engine = new CpuEngine(config, threads);
        FloatPointer parameters = floats(exact);
        FloatPointer gradient = new FloatPointer(parameters.capacity())) {
      TrainingPass.Loss got = engine.lossAndGradient(parameters, gradient, batch, pass);
      assertThat(got.objective()).isCloseTo(wanted.objective(), within(2e-6 * wanted.objective()));
      assertThat(got.crossEntropy())
          .isCloseTo(wanted.crossEntropy(), within(2e-6 * wanted.crossEntropy()));
      double largest = expected.norm2Number().doubleValue();
      for (int i = 0; i < expected.length(); i++) {
        assertThat((double) gradient.get(i))
            .isCloseTo(expected.getDouble(i), within(2e-6 * largest));
      }
    }
  }

  @Test
  void gradient_in_double_equals_finite_differences_while_the_same_values_are_zeroed() {
    LlamaConfig config = new LlamaConfig(10, 6, 1, 2, 1, 4, 7, 8, 10_000, 1e-5, true);
    Nd4jEngine engine = new Nd4jEngine(config, DataType.DOUBLE);
    INDArray parameters = Examples.parameters(config, DataType.DOUBLE, 3);
    TokenBatch batch = Examples.batch(config, 2, 4, 4);
    TrainingPass pass = TrainingPass.whole(new Objective(0.2, 0.1, 0.2, 0.3, 9), STEP, batch);
    INDArray gradient = parameters.ulike();
    engine.lossAndGradient(parameters, gradient, batch, pass);
    INDArray scratch = parameters.ulike();
    double step = 1e-5;
    for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
      for (long i = 0; i < tensor.length(); i += Math.max(1, tensor.length() / 3)) {
        long at = tensor.offset() + i;
        double original = parameters.getDouble(at);
        parameters.putScalar(at, original + step);
        double above = engine.lossAndGradient(parameters, scratch, batch, pass).objective();
        parameters.putScalar(at, original - step);
        double below = engine.lossAndGradient(parameters, scratch, batch, pass).objective();
        parameters.putScalar(at, original);
        double slope = (above - below) / (2 * step);
        assertThat(gradient.getDouble(at))
            .as("%s[%d]", tensor.name(), i)
            .isCloseTo(slope, within(1e-8 + 1e-6 * Math.abs(slope)));
      }
    }
  }

  /** Means of batches' means would weigh the target of the small batch more than the others. */
  @ParameterizedTest(name = "dropout {0}, {1} threads, tied {2}")
  @CsvSource({"0, 1, true", "0, 2, false", "0.3, 2, true"})
  void batches_of_unequal_target_counts_add_up_to_the_whole_step(
      double dropout, int threads, boolean tied) {
    LlamaConfig config = Examples.config(2, 1, 8, tied);
    TokenBatch whole = Examples.batch(config, 4, 12, 3);
    Arrays.fill(whole.targets(), 12, 23, TokenBatch.IGNORED);
    Arrays.fill(whole.targets(), 36, 48, TokenBatch.IGNORED);
    Objective objective = new Objective(0.1, 0.1, dropout, dropout, 1);
    TrainingPass once = TrainingPass.whole(objective, STEP, whole);
    try (CpuEngine engine = new CpuEngine(config, threads);
        FloatPointer parameters = floats(Examples.parameters(config, DataType.DOUBLE, 1));
        FloatPointer expected = new FloatPointer(parameters.capacity());
        FloatPointer gradient = new FloatPointer(parameters.capacity())) {
      TrainingPass.Loss wanted = engine.lossAndGradient(parameters, expected, whole, once);
      TrainingPass.Loss got = TrainingPass.Loss.ZERO;
      for (int sequence = 0; sequence < 4; sequence++) {
        TrainingPass part = new TrainingPass(objective, STEP, whole.targetCount(), sequence > 0);
        got = got.plus(engine.lossAndGradient(parameters, gradient, whole.rows(sequence, 1), part));
      }
      assertThat(got.objective()).isCloseTo(wanted.objective(), within(1e-6));
      assertThat(got.crossEntropy()).isCloseTo(wanted.crossEntropy(), within(1e-6));
      for (long i = 0; i < expected.capacity(); i++) {
        assertThat(gradient.get(i)).isCloseTo(expected.get(i), within(1e-6f));
      }
    }
  }

  @Test
  void the_same_step_zeroes_the_same_values_and_another_step_others() {
    LlamaConfig config = Examples.config(2, 1, 8, true);
    TokenBatch batch = Examples.batch(config, 2, 10, 3);
    Objective objective = new Objective(0, 0, 0.1, 0.1, 1);
    try (CpuEngine one = new CpuEngine(config, 1);
        CpuEngine two = new CpuEngine(config, 2);
        FloatPointer parameters = floats(Examples.parameters(config, DataType.DOUBLE, 1));
        FloatPointer gradient = new FloatPointer(parameters.capacity())) {
      TrainingPass pass = TrainingPass.whole(objective, STEP, batch);
      TrainingPass next = TrainingPass.whole(objective, STEP + 1, batch);
      double loss = one.lossAndGradient(parameters, gradient, batch, pass).objective();
      double other = one.lossAndGradient(parameters, gradient, batch, next).objective();
      assertThat(one.lossAndGradient(parameters, gradient, batch, pass).objective())
          .isEqualTo(loss);
      assertThat(two.lossAndGradient(parameters, gradient, batch, pass).objective())
          .isCloseTo(loss, within(1e-5));
      assertThat(Math.abs(other - loss)).isGreaterThan(1e-3);
      double plain = one.lossAndGradient(parameters, gradient, batch);
      double scored = 0;
      for (float logProbability : one.score(parameters, batch).logProbability()) {
        scored -= logProbability / batch.targetCount();
      }
      assertThat(scored).isCloseTo(plain, within(1e-5));
    }
  }

  @Test
  void dropout_zeroes_its_share_of_values_and_keeps_their_mean() {
    int rows = 2000;
    int width = 37;
    try (Buffer x = Buffer.allocate((long) rows * width)) {
      long zeroed = 0;
      double sum = 0;
      for (int row = 0; row < rows; row++) {
        for (int j = 0; j < width; j++) {
          x.set(row * width + j, 1);
        }
        DropoutVectors.apply(x, row * width, width, DropoutKeys.key(3, row), 0.2);
        for (int j = 0; j < width; j++) {
          float value = x.get(row * width + j);
          assertThat(value).isEqualTo(DropoutMask.factor(DropoutKeys.key(3, row), j, 0.2));
          zeroed += value == 0 ? 1 : 0;
          sum += value;
        }
      }
      double n = rows * width;
      double deviation = Math.sqrt(0.2 * 0.8 / n);
      assertThat(zeroed / n).isCloseTo(0.2, within(4 * deviation));
      assertThat(sum / n).isCloseTo(1, within(4 * deviation / 0.8));
    }
  }

  private static FloatPointer floats(INDArray array) {
    return new FloatPointer(array.castTo(DataType.FLOAT).dup().data().asFloat());
  }
}
