package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.AdapterLayout;
import caravan.model.LlamaConfig;
import caravan.model.LoraConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

class AdaptersTest {
  private static final LlamaConfig CONFIG = Examples.config(4, 2, 8, true);
  private static final List<String> ALL = LoraConfig.PROJECTIONS;
  private final FrozenBase base = base(CONFIG);

  private static FrozenBase base(LlamaConfig config) {
    return new FrozenBase(config, pointer(Examples.parameters(config, DataType.DOUBLE, 1)));
  }

  private static FloatPointer pointer(INDArray array) {
    return new FloatPointer(array.castTo(DataType.FLOAT).dup().data().asFloat());
  }

  @AfterEach
  void free() {
    base.parameters().close();
  }

  private static LoraConfig lora(int rank, double dropout, List<String> targets, String... saved) {
    return new LoraConfig(rank, 2 * rank, dropout, targets, false, List.of(saved));
  }

  /** Adapters with a B that is not zero, and the base's own values in modules trained in full. */
  private static INDArray trained(AdapterLayout layout, FrozenBase base, long seed) {
    Random random = new Random(seed);
    double[] values = new double[(int) layout.length()];
    for (int i = 0; i < values.length; i++) {
      values[i] = 0.2 * random.nextGaussian();
    }
    layout
        .saved()
        .forEach(
            (model, own) -> {
              for (int i = 0; i < own.length(); i++) {
                values[(int) own.offset() + i] = base.parameters().get(model.offset() + i);
              }
            });
    return Nd4j.createFromArray(values);
  }

  private record Step(double loss, float[] gradient) {
    static Step of(LlamaEngine engine, AdapterLayout layout, FloatPointer at, TokenBatch batch) {
      return of(engine, layout, at, batch, TrainingPass.whole(Objective.PLAIN, 5, batch));
    }

    static Step of(
        LlamaEngine engine,
        AdapterLayout layout,
        FloatPointer at,
        TokenBatch batch,
        TrainingPass pass) {
      try (FloatPointer gradient = new FloatPointer(layout.length())) {
        for (long i = 0; i < layout.length(); i++) {
          gradient.put(i, Float.NaN);
        }
        double loss = engine.lossAndGradient(at, gradient, batch, pass).crossEntropy();
        float[] values = new float[(int) layout.length()];
        gradient.get(values);
        return new Step(loss, values);
      }
    }
  }

  @ParameterizedTest(name = "targets {0}, saved {1}, tied {2}, {3} threads")
  @CsvSource({
    "q_proj v_proj,             '',                              true,  1",
    "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj, '', true, 2",
    "k_proj up_proj,            embed_tokens,                    true,  2",
    "o_proj gate_proj down_proj, lm_head,                        false, 2",
    "q_proj v_proj,             embed_tokens lm_head norm,       false, 3",
    "down_proj,                 input_layernorm,                 true,  2",
  })
  void lossAndGradientEqualTheOracleOnMergedWeightsInDouble(
      String targets, String saved, boolean tied, int threads) {
    LlamaConfig config = Examples.config(4, 2, 8, tied);
    FrozenBase frozen = base(config);
    AdapterLayout layout =
        new AdapterLayout(
            config,
            lora(
                3,
                0,
                List.of(targets.split(" ")),
                saved.isEmpty() ? new String[0] : saved.split(" ")));
    INDArray exact = trained(layout, frozen, 3);
    TokenBatch batch = Examples.batch(config, 3, 17, 4);
    INDArray expected = Nd4j.create(DataType.DOUBLE, layout.length());
    double loss =
        new Nd4jAdapters(layout, frozen, DataType.DOUBLE)
            .lossAndGradient(exact, expected, batch, TrainingPass.whole(Objective.PLAIN, 5, batch))
            .crossEntropy();
    try (CpuEngine engine = new CpuEngine(layout, frozen, threads);
        FloatPointer at = pointer(exact)) {
      Step step = Step.of(engine, layout, at, batch);
      assertThat(step.loss()).isCloseTo(loss, within(2e-6 * loss));
      assertCloseByTensor(layout, step.gradient(), expected, 3e-5);
      // Larger buffers than needed change nothing.
      Step.of(engine, layout, at, Examples.batch(config, 4, 20, 9));
      assertThat(Step.of(engine, layout, at, batch).loss()).isEqualTo(step.loss());
      assertThat(Step.of(engine, layout, at, batch).gradient()).isEqualTo(step.gradient());
    }
  }

  private static void assertCloseByTensor(
      AdapterLayout layout, float[] actual, INDArray expected, double tolerance) {
    for (Tensor tensor : layout.tensors()) {
      double largest = 1e-12;
      double worst = 0;
      for (long i = tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
        double wanted = expected.getDouble(i);
        largest = Math.max(largest, Math.abs(wanted));
        double difference = Math.abs(actual[(int) i] - wanted);
        worst = Math.max(worst, Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference);
      }
      assertThat(worst / largest).as(tensor.name()).isLessThan(tolerance);
    }
  }

  @Test
  void theOracleInFloatGivesTheSameThroughTheEngineInterface() {
    AdapterLayout layout = new AdapterLayout(CONFIG, lora(2, 0, ALL, "norm"));
    TokenBatch batch = Examples.batch(CONFIG, 2, 9, 4);
    try (LlamaEngine cpu = new CpuEngine(layout, base, 2);
        LlamaEngine oracle = new Nd4jAdapters(layout, base);
        FloatPointer at = pointer(trained(layout, base, 3))) {
      Step step = Step.of(oracle, layout, at, batch);
      assertCloseByTensor(
          layout,
          Step.of(cpu, layout, at, batch).gradient(),
          Nd4j.createFromArray(step.gradient()),
          1e-4);
      assertThat(cpu.score(at, batch).logProbability())
          .containsExactly(oracle.score(at, batch).logProbability(), within(2e-5f));
    }
  }

  @Test
  void aZeroBGivesTheBasesScoresExactly() {
    AdapterLayout layout = new AdapterLayout(CONFIG, lora(4, 0.5, ALL, "embed_tokens", "norm"));
    INDArray start = trained(layout, base, 5);
    layout.adapters().forEach(a -> Nd4jEngine.tensor(start, a.b()).assign(0));
    TokenBatch batch = Examples.batch(CONFIG, 2, 31, 6);
    try (CpuEngine adapted = new CpuEngine(layout, base, 2);
        CpuEngine plain = new CpuEngine(CONFIG, 2);
        FloatPointer at = pointer(start)) {
      assertThat(adapted.score(at, batch).logProbability())
          .isEqualTo(plain.score(base.parameters(), batch).logProbability());
    }
  }

  @Test
  void theBaseStaysBitForBit() {
    AdapterLayout layout = new AdapterLayout(CONFIG, lora(4, 0.3, ALL, "embed_tokens", "norm"));
    float[] before = floats(base.parameters(), new ParameterLayout(CONFIG).length());
    try (CpuEngine engine = new CpuEngine(layout, base, 2);
        FloatPointer at = pointer(trained(layout, base, 3))) {
      Step.of(engine, layout, at, Examples.batch(CONFIG, 3, 17, 4));
      assertThat(floats(base.parameters(), before.length)).isEqualTo(before);
    }
  }

  private static float[] floats(FloatPointer pointer, long length) {
    float[] values = new float[(int) length];
    pointer.get(values);
    return values;
  }

  /** With zeros in the same places before and after, the loss is a function of the adapters. */
  @Test
  void gradientsThroughDropoutEqualFiniteDifferences() {
    AdapterLayout layout = new AdapterLayout(CONFIG, lora(2, 0.4, ALL));
    TokenBatch batch = Examples.batch(CONFIG, 2, 13, 7);
    float[] start = trained(layout, base, 8).castTo(DataType.FLOAT).data().asFloat();
    try (CpuEngine engine = new CpuEngine(layout, base, 2)) {
      Step step = at(engine, layout, start, batch);
      Random random = new Random(9);
      for (Tensor tensor : layout.tensors()) {
        // Along a random direction: one entry's difference would drown in float's rounding.
        float[] forth = start.clone();
        float[] back = start.clone();
        double expected = 0;
        for (int i = (int) tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
          float d = random.nextBoolean() ? 1e-3f : -1e-3f;
          forth[i] += d;
          back[i] -= d;
          expected += step.gradient()[i] * ((double) forth[i] - back[i]);
        }
        double got =
            at(engine, layout, forth, batch).loss() - at(engine, layout, back, batch).loss();
        assertThat(got)
            .as(tensor.name())
            .isCloseTo(expected, within(5e-6 + 0.02 * Math.abs(expected)));
      }
    }
  }

  private static Step at(
      CpuEngine engine, AdapterLayout layout, float[] trained, TokenBatch batch) {
    try (FloatPointer pointer = new FloatPointer(trained)) {
      return Step.of(engine, layout, pointer, batch);
    }
  }

  @Test
  void dropoutFollowsTheStepNotTheThreadsAndSparesScores() {
    AdapterLayout layout = new AdapterLayout(CONFIG, lora(3, 0.4, ALL));
    AdapterLayout without = new AdapterLayout(CONFIG, lora(3, 0, ALL));
    TokenBatch batch = Examples.batch(CONFIG, 3, 21, 7);
    try (CpuEngine one = new CpuEngine(layout, base, 1);
        CpuEngine two = new CpuEngine(layout, base, 2);
        CpuEngine none = new CpuEngine(without, base, 2);
        FloatPointer at = pointer(trained(layout, base, 8))) {
      Step first = Step.of(two, layout, at, batch);
      for (int repeat = 0; repeat < 40; repeat++) {
        assertThat(Step.of(two, layout, at, batch).gradient()).isEqualTo(first.gradient());
      }
      assertCloseByTensor(
          layout,
          Step.of(one, layout, at, batch).gradient(),
          Nd4j.createFromArray(first.gradient()),
          3e-5);
      TrainingPass next = TrainingPass.whole(Objective.PLAIN, 6, batch);
      assertThat(Step.of(two, layout, at, batch, next).loss()).isNotEqualTo(first.loss());
      assertThat(two.score(at, batch).logProbability())
          .isEqualTo(none.score(at, batch).logProbability());
    }
  }

  @Test
  void theScaleIsAlphaByRankOrByItsRoot() {
    assertThat(new LoraConfig(16, 8, 0, ALL, false, List.of()).scale()).isEqualTo(0.5f);
    assertThat(new LoraConfig(16, 8, 0, ALL, true, List.of()).scale()).isEqualTo(2f);
  }

  @Test
  void onlyAdaptersAndModulesTrainedInFullArePartOfTheTrainedVector() {
    AdapterLayout layout =
        new AdapterLayout(CONFIG, lora(3, 0, List.of("v_proj", "q_proj"), "norm"));
    assertThat(layout.tensors())
        .extracting(Tensor::name)
        .containsExactly(
            "block0AttentionNorm",
            "block0MlpNorm",
            "block1AttentionNorm",
            "block1MlpNorm",
            "finalNorm",
            "block0QProjA",
            "block0VProjA",
            "block0QProjB",
            "block0VProjB",
            "block1QProjA",
            "block1VProjA",
            "block1QProjB",
            "block1VProjB");
    int hidden = CONFIG.hiddenSize();
    assertThat(layout.length())
        .isEqualTo(5L * hidden + 2 * 3 * (2L * hidden + CONFIG.queryDim() + CONFIG.kvDim()));
    assertThat(layout.adapters().get(1).path()).isEqualTo("model.layers.0.self_attn.v_proj");
    assertThat(layout.adapters().get(1).firstRow()).isEqualTo(CONFIG.queryDim() + CONFIG.kvDim());
  }

  @Test
  void wrongSettingsSayWhatIsWrong() {
    assertRefused(
        () -> new LoraConfig(0, 16, 0, ALL, false, List.of()),
        "lora.rank: got 0, wanted at least 1 for adapters");
    assertRefused(
        () -> new LoraConfig(8, 16, 1, ALL, false, List.of()),
        "lora.dropout: got 1.0, wanted a number in [0, 1)");
    assertRefused(
        () -> new LoraConfig(8, 16, 0, List.of("c_attn"), false, List.of()),
        "lora.target-modules: got c_attn, wanted some of q_proj, k_proj, v_proj, o_proj, gate_proj,"
            + " up_proj, down_proj");
    assertRefused(
        () -> new LoraConfig(8, 16, 0, ALL, false, List.of("wte")),
        "lora.modules-to-save: got wte, wanted some of embed_tokens, lm_head, input_layernorm,"
            + " post_attention_layernorm, norm");
    assertRefused(
        () -> new LoraConfig(8, 16, 0, List.of(), false, List.of()),
        "lora.target-modules: got none, wanted at least one of q_proj, k_proj, v_proj, o_proj,"
            + " gate_proj, up_proj, down_proj");
    assertRefused(
        () -> new AdapterLayout(CONFIG, lora(2, 0, ALL, "lm_head")),
        "lora.modules-to-save: got lm_head without embed_tokens, but the model's head is tied to its"
            + " embedding; give both, or none");
    assertRefused(
        () -> new Nd4jAdapters(new AdapterLayout(CONFIG, lora(2, 0.1, ALL)), base),
        "lora.dropout: got 0.1 with train.engine=nd4j, wanted 0: it trains on merged weights; use"
            + " train.engine=cpu");
  }

  private static void assertRefused(Runnable what, String message) {
    assertThatThrownBy(what::run).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }
}
