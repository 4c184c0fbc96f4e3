package caravan.model.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.FrozenBase;
import caravan.model.engine.Objective;
import caravan.model.engine.StoredWeights;
import caravan.model.engine.TokenBatch;
import caravan.model.engine.TrainingPass;
import caravan.model.engine.WeightType;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Adapters beside a frozen base on the (stand-in) GPU, against those of the CPU engine. */
@Tag("cpp")
class CudaAdaptersTest {
  private static final String ALL = String.join(" ", LoraConfig.PROJECTIONS);

  @BeforeAll
  static void load() {
    StandIn.load();
  }

  @AfterEach
  void nothingIsLeft() {
    assertThat(StandIn.liveBytes()).isZero();
  }

  private static List<String> words(String text) {
    return text.isEmpty() ? List.of() : List.of(text.split(" "));
  }

  private static CudaEngine engine(
      AdapterLayout layout, FrozenBase base, Precision precision, boolean recompute) {
    return new CudaEngine(layout, base, new CudaEngine.Options(0, precision, recompute));
  }

  @ParameterizedTest(name = "{0}, rank {1}, dropout {2}, {3}, saved {4}, tied {5}, recompute {6}")
  @CsvSource({
    "FP32, 3,  0,   q_proj v_proj,                     '',                        true,  false",
    "FP32, 4,  0.3, k_proj o_proj up_proj,             embed_tokens,              true,  true",
    "FP32, 2,  0.2, gate_proj down_proj,               lm_head norm,              false, false",
    "FP32, 5,  0,   v_proj down_proj,                  embed_tokens lm_head,      false, true",
    "TF32, 4,  0,   q_proj k_proj gate_proj,           input_layernorm,           true,  false",
    "BF16, 8,  0,   q_proj k_proj v_proj o_proj gate_proj up_proj down_proj, '',  true,  false",
    "BF16, 4,  0.3, q_proj v_proj o_proj down_proj,    embed_tokens norm,         true,  true",
  })
  void loss_and_gradient_equal_the_cpu_engines(
      Precision precision,
      int rank,
      double dropout,
      String targets,
      String saved,
      boolean tied,
      boolean recompute) {
    LlamaConfig config = Toy.config(4, 2, 16, 64, tied);
    LoraConfig lora =
        new LoraConfig(rank, 2 * rank, dropout, words(targets), rank == 4, words(saved));
    AdapterLayout layout = new AdapterLayout(config, lora);
    TokenBatch batch = Toy.batch(config, 2, 37, 0.2, 5);
    TrainingPass pass = TrainingPass.whole(new Objective(0, 0, 0, 0, 9), 4, batch);
    try (FloatPointer frozen = Toy.parameters(config, 1);
        FloatPointer trained = RandomModel.adapters(layout, frozen, 2);
        FloatPointer expected = new FloatPointer(layout.length());
        FloatPointer actual = new FloatPointer(layout.length());
        CpuEngine oracle = new CpuEngine(layout, new FrozenBase(config, frozen), 1);
        CudaEngine engine = engine(layout, new FrozenBase(config, frozen), precision, recompute)) {
      double wanted = oracle.lossAndGradient(trained, expected, batch, pass).crossEntropy();
      double loss = engine.lossAndGradient(trained, actual, batch, pass).crossEntropy();
      double tolerance = precision == Precision.FP32 ? 2e-5 : 6e-2;
      assertThat(loss).isCloseTo(wanted, within(tolerance * wanted));
      float[] gradient = Toy.values(actual, layout.length());
      float[] oracles = Toy.values(expected, layout.length());
      for (Tensor tensor : layout.tensors()) {
        assertThat(Toy.difference(gradient, oracles, tensor))
            .as(tensor.name())
            .isLessThan(tolerance);
      }
      // Larger buffers than needed, and buffers that have been used, change nothing.
      engine.lossAndGradient(trained, actual, Toy.batch(config, 3, 41, 0.3, 6));
      assertThat(engine.lossAndGradient(trained, actual, batch, pass).crossEntropy())
          .isEqualTo(loss);
      assertThat(Toy.values(actual, layout.length())).isEqualTo(gradient);
      assertScoresAreClose(engine, oracle, trained, batch, tolerance);
    }
  }

  private static void assertScoresAreClose(
      CudaEngine engine, CpuEngine oracle, FloatPointer at, TokenBatch batch, double tolerance) {
    float[] got = engine.score(at, batch).logProbability();
    float[] wanted = oracle.score(at, batch).logProbability();
    for (int i = 0; i < got.length; i++) {
      assertThat((double) got[i]).isCloseTo(wanted[i], within(2 * tolerance));
    }
  }

  @Test
  void a_frozen_base_has_its_products_type_and_no_gradient_or_moments() {
    LlamaConfig config = Toy.config(4, 2, 16, 64, true);
    AdapterLayout layout =
        new AdapterLayout(config, new LoraConfig(2, 4, 0, words(ALL), false, List.of()));
    TokenBatch batch = Toy.batch(config, 2, 9, 0, 5);
    try (FloatPointer frozen = Toy.parameters(config, 1);
        FloatPointer trained = RandomModel.adapters(layout, frozen, 2);
        FloatPointer gradient = new FloatPointer(layout.length());
        CudaEngine engine = engine(layout, new FrozenBase(config, frozen), Precision.BF16, false)) {
      float[] before = Toy.values(frozen, new ParameterLayout(config).length());
      engine.lossAndGradient(trained, gradient, batch);
      Map<String, Long> parts = engine.memoryByPart();
      long norms = 5L * 64;
      assertThat(parts.get("frozen weights"))
          .isEqualTo(2 * (new ParameterLayout(config).length() - norms) + 4 * norms);
      // The gaps between tensors that start at whole 128s come on top.
      long most = 4 * (layout.length() + 128L * layout.tensors().size());
      assertThat(parts.get("master weights")).isBetween(4 * layout.length(), most);
      assertThat(parts.get("gradients")).isBetween(4 * layout.length(), most);
      assertThat(Toy.values(frozen, before.length)).isEqualTo(before);
      assertThatThrownBy(() -> engine.decoder(trained, 8))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage(
              "decoder: got an engine beside a frozen base, wanted one of the merged model");
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"BF16", "Q8_0"})
  void a_packed_base_is_the_base_that_its_numbers_say(WeightType type) {
    LlamaConfig config = Toy.config(4, 2, 16, 64, true);
    ParameterLayout layout = new ParameterLayout(config);
    AdapterLayout adapters =
        new AdapterLayout(config, new LoraConfig(2, 4, 0, words(ALL), false, List.of()));
    TokenBatch batch = Toy.batch(config, 2, 9, 0, 5);
    try (FloatPointer floats = Toy.parameters(config, 1);
        FrozenBase packed = FrozenBase.packed(config, type);
        FloatPointer trained = RandomModel.adapters(adapters, floats, 2)) {
      for (Tensor tensor : layout.tensors()) {
        packed.put(tensor.offset(), floats.getPointer(tensor.offset()), tensor.length());
      }
      StoredWeights.round(layout, floats, type);
      try (CudaEngine of = engine(adapters, packed, Precision.FP32, false);
          CudaEngine same =
              engine(adapters, new FrozenBase(config, floats), Precision.FP32, false)) {
        assertThat(of.score(trained, batch).logProbability())
            .isEqualTo(same.score(trained, batch).logProbability());
      }
    }
  }

  @Test
  void a_vocabulary_that_has_grown_is_trained_in_full_beside_a_smaller_base() {
    LlamaConfig grown = Toy.config(4, 2, 16, 64, true);
    LlamaConfig small = grown.withVocabSize(50);
    AdapterLayout layout =
        new AdapterLayout(
            grown, new LoraConfig(2, 4, 0, words("q_proj"), false, List.of("embed_tokens")));
    TokenBatch batch = Toy.batch(grown, 2, 9, 0, 5);
    try (FloatPointer frozen = Toy.parameters(small, 1);
        FloatPointer all = Toy.parameters(grown, 7);
        FloatPointer trained = RandomModel.adapters(layout, all, 2);
        FloatPointer gradient = new FloatPointer(layout.length());
        CpuEngine oracle = new CpuEngine(layout, new FrozenBase(small, frozen), 1);
        CudaEngine engine = engine(layout, new FrozenBase(small, frozen), Precision.FP32, false)) {
      double wanted = oracle.lossAndGradient(trained, gradient, batch);
      assertThat(engine.lossAndGradient(trained, gradient, batch))
          .isCloseTo(wanted, within(1e-5 * wanted));
    }
  }

  @Test
  void an_allocation_of_the_base_that_fails_leaves_nothing() {
    LlamaConfig config = Toy.config(4, 2, 16, 64, true);
    AdapterLayout layout =
        new AdapterLayout(config, new LoraConfig(2, 4, 0.1, words(ALL), false, List.of()));
    try (FloatPointer frozen = Toy.parameters(config, 1)) {
      FrozenBase base = new FrozenBase(config, frozen);
      for (long n : new long[] {3, 4, 9}) {
        StandIn.failAllocation(n);
        assertThatThrownBy(() -> engine(layout, base, Precision.BF16, false))
            .isInstanceOf(CudaException.class)
            .hasMessageContaining("is out of memory: wanted");
        assertThat(StandIn.liveBytes()).isZero();
        assertThat(StandIn.liveObjects()).isZero();
      }
    } finally {
      StandIn.failAllocation(-1);
    }
  }
}
