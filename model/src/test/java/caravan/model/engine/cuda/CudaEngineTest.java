package caravan.model.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The whole engine (JNI library, buffers, launches, products, kernels) on a machine without a GPU:
 * a stand-in for CUDA's libraries runs the kernels' own source on the CPU.
 */
@Tag("cpp")
class CudaEngineTest {

  @BeforeAll
  static void load() {
    StandIn.load();
  }

  private static CudaEngine engine(LlamaConfig config, Precision precision, boolean recompute) {
    return new CudaEngine(config, new CudaEngine.Options(0, precision, recompute));
  }

  /** bf16 keeps 8 bits: 2^-9 relative per rounding, some dozen roundings deep. */
  private static double tolerance(Precision precision) {
    return switch (precision) {
      case FP32 -> 1e-5;
      case TF32 -> 5e-3;
      case BF16 -> 3e-2;
    };
  }

  @ParameterizedTest(name = "{0}, {1}/{2} heads of {3}, tied {5}, recompute {6}, ignored {7}")
  @CsvSource({
    "FP32, 3, 3, 8,  29, true,  false, 0.2",
    "FP32, 4, 2, 16, 64, false, false, 0",
    "FP32, 4, 2, 16, 64, true,  true,  0.6",
    "FP32, 2, 1, 34, 48, false, true,  0.05",
    "TF32, 4, 2, 16, 64, true,  false, 0.2",
    "BF16, 4, 2, 16, 64, true,  false, 0",
    "BF16, 4, 1, 64, 64, false, true,  0.6",
    "BF16, 3, 3, 8,  29, true,  false, 0.2",
  })
  void loss_and_gradient_equal_the_cpu_engines(
      Precision precision,
      int heads,
      int kvHeads,
      int headDim,
      int hidden,
      boolean tied,
      boolean recompute,
      double ignored) {
    LlamaConfig config = Toy.config(heads, kvHeads, headDim, hidden, tied);
    ParameterLayout layout = new ParameterLayout(config);
    TokenBatch batch = Toy.batch(config, 2, 37, ignored, 5);
    try (FloatPointer parameters = Toy.parameters(config, 1);
        FloatPointer expected = new FloatPointer(layout.length());
        FloatPointer actual = new FloatPointer(layout.length());
        CpuEngine oracle = new CpuEngine(config, 1);
        CudaEngine engine = engine(config, precision, recompute)) {
      double wanted = oracle.lossAndGradient(parameters, expected, batch);
      double loss = engine.lossAndGradient(parameters, actual, batch);
      assertThat(loss).isCloseTo(wanted, within(tolerance(precision) * wanted));
      float[] gradient = Toy.values(actual, layout.length());
      float[] oracles = Toy.values(expected, layout.length());
      for (ParameterLayout.Tensor tensor : layout.tensors()) {
        assertThat(Toy.difference(gradient, oracles, tensor))
            .as(tensor.name())
            .isLessThan(tolerance(precision));
      }
      // Larger buffers than needed, and buffers that have been used, change nothing.
      engine.lossAndGradient(parameters, actual, Toy.batch(config, 3, 41, 0.3, 6));
      assertThat(engine.lossAndGradient(parameters, actual, batch)).isEqualTo(loss);
      assertThat(Toy.values(actual, layout.length())).isEqualTo(gradient);
    }
  }

  @ParameterizedTest(name = "{0}, {1}/{2} heads of {3}, compute capability {4}")
  @CsvSource({"FP32, 4, 2, 16, 90", "BF16, 4, 2, 64, 90", "BF16, 4, 2, 64, 80"})
  void documents_of_a_packed_row_see_nothing_of_each_other(
      Precision precision, int heads, int kvHeads, int headDim, int capability) {
    LlamaConfig config = Toy.config(heads, kvHeads, headDim, 64, true);
    ParameterLayout layout = new ParameterLayout(config);
    TokenBatch plain = Toy.batch(config, 1, 80, 0.2, 5);
    int[] targets = plain.targets().clone();
    for (int start : new int[] {1, 17, 70}) {
      targets[start] = TokenBatch.marked(targets[start]);
    }
    TokenBatch packed = TokenBatch.ofMarked(plain.ids(), targets, 1, 80);
    StandIn.capability(capability);
    try (FloatPointer parameters = Toy.parameters(config, 1);
        FloatPointer expected = new FloatPointer(layout.length());
        FloatPointer actual = new FloatPointer(layout.length());
        CpuEngine oracle = new CpuEngine(config, 1);
        CudaEngine engine = engine(config, precision, true)) {
      double wanted = oracle.lossAndGradient(parameters, expected, packed);
      // A batch that is not packed, before: its slot's starts must not stay.
      assertThat(engine.lossAndGradient(parameters, actual, plain))
          .isNotCloseTo(wanted, within(1e-3 * wanted));
      assertThat(engine.lossAndGradient(parameters, actual, packed))
          .isCloseTo(wanted, within(tolerance(precision) * wanted));
      float[] gradient = Toy.values(actual, layout.length());
      float[] oracles = Toy.values(expected, layout.length());
      for (ParameterLayout.Tensor tensor : layout.tensors()) {
        assertThat(Toy.difference(gradient, oracles, tensor))
            .as(tensor.name())
            .isLessThan(tolerance(precision));
      }
    } finally {
      StandIn.capability(90);
    }
  }

  @Test
  void an_ampere_gpu_has_kernels_of_its_own() {
    StandIn.capability(80);
    try {
      loss_and_gradient_equal_the_cpu_engines(Precision.BF16, 4, 2, 16, 64, true, false, 0);
    } finally {
      StandIn.capability(90);
    }
  }

  @Test
  void a_batch_without_targets_has_no_loss_and_no_gradient() {
    LlamaConfig config = Toy.config(2, 1, 8, 16, true);
    ParameterLayout layout = new ParameterLayout(config);
    try (FloatPointer parameters = Toy.parameters(config, 1);
        FloatPointer gradient = new FloatPointer(layout.length());
        CudaEngine engine = engine(config, Precision.BF16, false)) {
      assertThat(engine.lossAndGradient(parameters, gradient, Toy.batch(config, 1, 9, 1, 2)))
          .isZero();
      assertThat(Toy.values(gradient, layout.length())).containsOnly(0f);
    }
  }

  @ParameterizedTest(name = "{0}, ignored {1}")
  @CsvSource({"FP32, 0", "FP32, 0.5", "BF16, 0.1"})
  void scores_equal_the_cpu_engines(Precision precision, double ignored) {
    LlamaConfig config = Toy.config(4, 2, 16, 64, true);
    TokenBatch batch = Toy.batch(config, 3, 21, ignored, 8);
    try (FloatPointer parameters = Toy.parameters(config, 3);
        CpuEngine oracle = new CpuEngine(config, 1);
        CudaEngine engine = engine(config, precision, false)) {
      LlamaEngine.TokenScores wanted = oracle.score(parameters, batch);
      LlamaEngine.TokenScores got;
      try (LlamaEngine.Kept kept = engine.keep(parameters)) {
        got = engine.score(parameters, batch);
      }
      float tolerance = precision == Precision.FP32 ? 2e-5f : 0.1f;
      for (int i = 0; i < batch.targets().length; i++) {
        assertThat(got.logProbability()[i])
            .as("position %d", i)
            .isCloseTo(wanted.logProbability()[i], within(tolerance));
      }
      if (precision == Precision.FP32) {
        assertThat(got.greedy()).isEqualTo(wanted.greedy());
      }
    }
  }

  @ParameterizedTest(name = "{0}, {1}/{2} heads of {3}")
  @CsvSource({"FP32, 4, 2, 16", "FP32, 3, 3, 34", "BF16, 4, 2, 16"})
  void a_prompt_and_the_tokens_after_it_have_the_cpu_engines_logits(
      Precision precision, int heads, int kvHeads, int headDim) {
    LlamaConfig config = Toy.config(heads, kvHeads, headDim, 64, true);
    int[] ids = Toy.batch(config, 1, 20, 0, 11).ids();
    try (FloatPointer parameters = Toy.parameters(config, 4);
        CpuEngine oracle = new CpuEngine(config, 1);
        CudaEngine engine = engine(config, precision, false);
        LlamaEngine.Decoder wanted = oracle.decoder(parameters, 40);
        LlamaEngine.Decoder got = engine.decoder(parameters, 40)) {
      double tolerance = precision == Precision.FP32 ? 2e-5 : 0.1;
      assertClose(got.append(ids), wanted.append(ids), tolerance);
      for (int id : new int[] {7, 3, 60}) {
        // Another use of the engine in between must not change what the decoder says.
        engine.score(Toy.parameters(config, 99), Toy.batch(config, 1, 4, 0, 1));
        assertClose(got.append(id), wanted.append(id), tolerance);
      }
      assertThat(got.length()).isEqualTo(23);
    }
  }

  @ParameterizedTest(name = "compute capability {0}")
  @CsvSource({"90", "80"})
  void from_the_second_token_on_a_graph_says_what_the_kernels_did(int capability) {
    LlamaConfig config = Toy.config(4, 2, 16, 64, false);
    StandIn.capability(capability);
    try (FloatPointer parameters = Toy.parameters(config, 4);
        CpuEngine oracle = new CpuEngine(config, 1);
        CudaEngine engine = engine(config, Precision.FP32, false);
        LlamaEngine.Decoder wanted = oracle.decoder(parameters, 90);
        LlamaEngine.Decoder best = engine.decoder(parameters, 90);
        LlamaEngine.Decoder logits = engine.decoder(parameters, 90)) {
      int graphs = StandIn.graphs();
      int id = wanted.best(3, 7);
      assertThat(best.best(3, 7)).isEqualTo(id);
      logits.append(3, 7);
      for (int i = 0; i < 80; i++) {
        // A key beyond the 64th is another block's: its shares are added up.
        float[] expected = wanted.append(id);
        assertClose(logits.append(id), expected, 2e-5);
        id = best.best(id);
        assertThat(expected[id]).isEqualTo(highest(expected));
        assertThat(StandIn.graphs()).isEqualTo(graphs + 2 * i);
      }
    } finally {
      StandIn.capability(90);
    }
  }

  private static float highest(float[] logits) {
    float highest = logits[0];
    for (float logit : logits) {
      highest = Math.max(highest, logit);
    }
    return highest;
  }

  private static void assertClose(float[] got, float[] wanted, double tolerance) {
    double largest = 0;
    for (float logit : wanted) {
      largest = Math.max(largest, Math.abs(logit));
    }
    for (int i = 0; i < wanted.length; i++) {
      assertThat((double) got[i]).isCloseTo(wanted[i], within(tolerance * largest));
    }
  }
}
