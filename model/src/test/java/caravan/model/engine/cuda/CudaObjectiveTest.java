package caravan.model.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.Objective;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** More than plain cross entropy of a whole batch, on the (stand-in) GPU and on the CPU. */
@Tag("cpp")
class CudaObjectiveTest {

  @BeforeAll
  static void load() {
    StandIn.load();
  }

  private static CudaEngine engine(LlamaConfig config, Precision precision, boolean recompute) {
    return new CudaEngine(config, new CudaEngine.Options(0, precision, recompute));
  }

  private static void assertClose(
      ParameterLayout layout, float[] got, float[] wanted, double tolerance) {
    for (Tensor tensor : layout.tensors()) {
      assertThat(Toy.difference(got, wanted, tensor)).as(tensor.name()).isLessThan(tolerance);
    }
  }

  @ParameterizedTest(
      name = "{0}: z-loss {1}, smoothing {2}, dropout {3} and {4}, ignored {5}, recompute {6}")
  @CsvSource({
    "FP32, 0.05, 0,   0,   0,   0.2, false",
    "FP32, 0,    0.2, 0,   0,   0,   false",
    "FP32, 0.01, 0.1, 0,   0,   0.6, true",
    "FP32, 0,    0,   0.3, 0,   0.2, false",
    "FP32, 0,    0,   0,   0.3, 0.2, true",
    "FP32, 0.01, 0.1, 0.1, 0.2, 0.6, false",
    "BF16, 0.01, 0.1, 0.1, 0.2, 0.2, true",
  })
  void loss_and_gradient_equal_the_cpu_engines(
      Precision precision,
      double zLoss,
      double smoothing,
      double ofEmbedding,
      double ofResidual,
      double ignored,
      boolean recompute) {
    LlamaConfig config = Toy.config(3, 3, 8, 29, true);
    ParameterLayout layout = new ParameterLayout(config);
    TokenBatch batch = Toy.batch(config, 2, 37, ignored, 5);
    Objective objective = new Objective(zLoss, smoothing, ofEmbedding, ofResidual, 11);
    TrainingPass pass = TrainingPass.whole(objective, 3, batch);
    try (FloatPointer parameters = Toy.parameters(config, 1);
        FloatPointer expected = new FloatPointer(layout.length());
        FloatPointer actual = new FloatPointer(layout.length());
        CpuEngine oracle = new CpuEngine(config, 1);
        CudaEngine engine = engine(config, precision, recompute)) {
      TrainingPass.Loss wanted = oracle.lossAndGradient(parameters, expected, batch, pass);
      TrainingPass.Loss got = engine.lossAndGradient(parameters, actual, batch, pass);
      double tolerance = precision == Precision.FP32 ? 2e-5 : 6e-2;
      assertThat(got.objective())
          .isCloseTo(wanted.objective(), within(tolerance * wanted.objective()));
      assertThat(got.crossEntropy())
          .isCloseTo(wanted.crossEntropy(), within(tolerance * wanted.crossEntropy()));
      assertClose(
          layout,
          Toy.values(actual, layout.length()),
          Toy.values(expected, layout.length()),
          tolerance);
    }
  }

  /** With zeros in other places the losses would differ by far more. */
  @Test
  void dropout_follows_seed_step_and_sequence_and_spares_scores() {
    LlamaConfig config = Toy.config(4, 2, 16, 64, true);
    ParameterLayout layout = new ParameterLayout(config);
    TokenBatch batch = Toy.batch(config, 3, 20, 0, 5);
    TokenBatch last = batch.rows(2, 1);
    Objective objective = new Objective(0, 0, 0.1, 0.3, 11);
    Objective other = new Objective(0, 0, 0.1, 0.3, 12);
    try (FloatPointer parameters = Toy.parameters(config, 1);
        FloatPointer gradient = new FloatPointer(layout.length());
        CpuEngine oracle = new CpuEngine(config, 1);
        CudaEngine engine = engine(config, Precision.FP32, false)) {
      double first = loss(engine, parameters, gradient, last, objective, 5);
      assertThat(first)
          .isCloseTo(loss(oracle, parameters, gradient, last, objective, 5), within(1e-4));
      assertThat(loss(engine, parameters, gradient, last, objective, 6))
          .isNotCloseTo(first, within(1e-2));
      assertThat(loss(engine, parameters, gradient, last, other, 5))
          .isNotCloseTo(first, within(1e-2));
      double sum = 0;
      for (int row = 0; row < 3; row++) {
        sum += loss(engine, parameters, gradient, batch.rows(row, 1), objective, 5);
      }
      assertThat(loss(engine, parameters, gradient, batch, objective, 5))
          .isCloseTo(sum / 3, within(1e-5));
      float[] scores = engine.score(parameters, batch).logProbability();
      float[] wanted = oracle.score(parameters, batch).logProbability();
      for (int i = 0; i < scores.length; i++) {
        assertThat(scores[i]).isCloseTo(wanted[i], within(1e-4f));
      }
    }
  }

  private static double loss(
      LlamaEngine engine,
      FloatPointer parameters,
      FloatPointer gradient,
      TokenBatch batch,
      Objective objective,
      int step) {
    TrainingPass pass = TrainingPass.whole(objective, step, batch);
    return engine.lossAndGradient(parameters, gradient, batch, pass).crossEntropy();
  }

  @Test
  void passes_of_a_part_add_up_to_the_whole_step() {
    LlamaConfig config = Toy.config(4, 2, 16, 64, false);
    ParameterLayout layout = new ParameterLayout(config);
    TokenBatch batch = Toy.batch(config, 4, 20, 0.3, 5);
    try (FloatPointer parameters = Toy.parameters(config, 1);
        FloatPointer whole = new FloatPointer(layout.length());
        FloatPointer parts = new FloatPointer(layout.length());
        CudaEngine engine = engine(config, Precision.FP32, false)) {
      double wanted = engine.lossAndGradient(parameters, whole, batch);
      TrainingPass.Loss sum = TrainingPass.Loss.ZERO;
      for (int row = 0; row < 4; row += 3) {
        TrainingPass pass = new TrainingPass(Objective.PLAIN, 0, batch.targetCount(), row > 0);
        TokenBatch part = batch.rows(row, Math.min(3, 4 - row));
        sum = sum.plus(engine.lossAndGradient(parameters, parts, part, pass));
      }
      assertThat(sum.crossEntropy()).isCloseTo(wanted, within(1e-6 * wanted));
      assertClose(
          layout, Toy.values(parts, layout.length()), Toy.values(whole, layout.length()), 1e-5);
    }
  }
}
