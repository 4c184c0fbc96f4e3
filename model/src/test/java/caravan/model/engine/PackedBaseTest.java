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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A frozen base in bf16 or Q8_0, beside one of floats with the values that packing leaves. */
class PackedBaseTest {
  /** More ids than a panel has rows. */
  private static final int VOCAB = 1200;

  private static LlamaConfig config(boolean tied) {
    return new LlamaConfig(40, 56, 2, 4, 2, 12, VOCAB, 64, 10_000, 1e-5, tied);
  }

  private static FloatPointer random(long length, double scale, long seed) {
    Random random = new Random(seed);
    float[] values = new float[(int) length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (scale * random.nextGaussian());
    }
    return new FloatPointer(values);
  }

  private static FrozenBase packed(LlamaConfig config, WeightType type, FloatPointer parameters) {
    FrozenBase base = FrozenBase.packed(config, type);
    for (Tensor tensor : new ParameterLayout(config).tensors()) {
      // In two parts, as projections come that are one fused matrix here.
      int rows = tensor.rows() / 2;
      long first = (long) rows * tensor.cols();
      base.put(tensor.offset(), parameters.getPointer(tensor.offset()), first);
      base.put(
          tensor.offset() + first,
          parameters.getPointer(tensor.offset() + first),
          tensor.length() - first);
    }
    return base;
  }

  private static float[] floats(FloatPointer pointer, long length) {
    float[] values = new float[(int) length];
    pointer.get(values);
    return values;
  }

  @ParameterizedTest
  @EnumSource(
      value = WeightType.class,
      names = {"BF16", "Q8_0"})
  void everyTensorComesBackWithTheValuesThatPackingLeaves(WeightType type) {
    LlamaConfig config = config(false);
    ParameterLayout layout = new ParameterLayout(config);
    try (FloatPointer parameters = random(layout.length(), 1, 1);
        FrozenBase base = packed(config, type, parameters);
        FloatPointer got = new FloatPointer(layout.length())) {
      layout.tensors().forEach(t -> base.copy(t, got.address() + t.offset() * Float.BYTES));
      StoredWeights.round(layout, parameters, type);
      assertThat(floats(got, layout.length())).isEqualTo(floats(parameters, layout.length()));
    }
  }

  @ParameterizedTest(name = "{0}, products in bf16: {1}, tied {2}, {3} threads")
  @CsvSource({
    "BF16, false, true,  1",
    "BF16, false, false, 2",
    "BF16, true,  true,  2",
    "Q8_0, false, true,  2",
    "Q8_0, false, false, 1",
    "Q8_0, true,  false, 2",
  })
  void lossScoresAndGradientsAreThoseBesideTheSameWeightsAsFloats(
      WeightType type, boolean halves, boolean tied, int threads) {
    LlamaConfig config = config(tied);
    ParameterLayout whole = new ParameterLayout(config);
    LoraConfig lora = new LoraConfig(3, 6, 0, LoraConfig.PROJECTIONS, false, List.of("norm"));
    AdapterLayout layout = new AdapterLayout(config, lora);
    TokenBatch batch = Examples.batch(config, 3, 17, 4);
    TrainingPass pass = TrainingPass.whole(Objective.PLAIN, 1, batch);
    CpuOptions options = new CpuOptions(halves && OneDnn.isUsable(), false);
    try (FloatPointer parameters = random(whole.length(), 0.2, 1);
        FrozenBase base = packed(config, type, parameters);
        FloatPointer at = random(layout.length(), 0.2, 2);
        FloatPointer got = new FloatPointer(layout.length());
        FloatPointer wanted = new FloatPointer(layout.length())) {
      StoredWeights.round(whole, parameters, type);
      FrozenBase same = new FrozenBase(config, parameters);
      try (CpuEngine engine = new CpuEngine(layout, base, threads, options);
          CpuEngine oracle = new CpuEngine(layout, same, threads, options)) {
        double loss = engine.lossAndGradient(at, got, batch, pass).crossEntropy();
        double other = oracle.lossAndGradient(at, wanted, batch, pass).crossEntropy();
        assertThat(loss).isCloseTo(other, within(1e-6 * other));
        assertClose(layout, got, wanted, halves ? 8e-3 : 2e-5);
        assertThat(engine.score(at, batch).logProbability())
            .containsExactly(oracle.score(at, batch).logProbability(), within(2e-5f));
      }
    }
  }

  private static void assertClose(
      AdapterLayout layout, FloatPointer got, FloatPointer wanted, double tolerance) {
    for (Tensor tensor : layout.tensors()) {
      double largest = 0;
      double worst = 0;
      for (long i = tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
        largest = Math.max(largest, Math.abs(wanted.get(i)));
        worst = Math.max(worst, Math.abs((double) got.get(i) - wanted.get(i)));
      }
      assertThat(largest).as(tensor.name()).isPositive();
      assertThat(worst / largest).as(tensor.name()).isLessThan(tolerance);
    }
  }

  @Test
  void whatIsTrainedInFullIsReadFromTheTrainedVectorAndNotFromTheBase() {
    LlamaConfig config = config(true);
    LoraConfig lora = new LoraConfig(2, 2, 0, List.of("q_proj"), false, List.of("embed_tokens"));
    AdapterLayout layout = new AdapterLayout(config, lora);
    TokenBatch batch = Examples.batch(config, 2, 9, 4);
    try (FloatPointer parameters = random(new ParameterLayout(config).length(), 0.2, 1);
        FrozenBase base = packed(config, WeightType.Q8_0, parameters);
        FloatPointer at = random(layout.length(), 0.2, 2);
        FloatPointer gradient = new FloatPointer(layout.length());
        CpuEngine engine = new CpuEngine(layout, base, 2)) {
      double before =
          engine
              .lossAndGradient(at, gradient, batch, TrainingPass.whole(Objective.PLAIN, 1, batch))
              .crossEntropy();
      long id = (long) batch.ids()[0] * config.hiddenSize();
      at.put(id, at.get(id) + 1);
      assertThat(-mean(engine.score(at, batch))).isNotCloseTo(before, within(1e-4));
    }
  }

  private static double mean(LlamaEngine.TokenScores scores) {
    double sum = 0;
    for (float score : scores.logProbability()) {
      sum += score;
    }
    return sum / scores.logProbability().length;
  }

  @Test
  void packingTakesAHalfAndALittleOverAQuarterOfTheMemory() {
    LlamaConfig config = new LlamaConfig(512, 1408, 2, 8, 8, 64, 4096, 512, 10_000, 1e-5, true);
    double floats = FrozenBase.bytes(config, WeightType.F32);
    assertThat(FrozenBase.bytes(config, WeightType.BF16) / floats).isBetween(0.5, 0.501);
    assertThat(FrozenBase.bytes(config, WeightType.Q8_0) / floats).isBetween(0.28, 0.282);
    for (WeightType type : List.of(WeightType.BF16, WeightType.Q8_0)) {
      try (FrozenBase base = FrozenBase.packed(config, type)) {
        assertThat(base.bytes()).isEqualTo(FrozenBase.bytes(config, type));
      }
    }
  }

  @Test
  void aPackedBaseHasNoVectorOfFloatsAndTakesNoBrokenOnes() {
    LlamaConfig config = config(true);
    try (FrozenBase base = FrozenBase.packed(config, WeightType.Q8_0);
        FloatPointer broken = new FloatPointer(config.hiddenSize())) {
      assertThatThrownBy(base::parameters)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("frozen base: got one in q8_0, wanted f32");
      broken.put(3, Float.NaN);
      assertThatThrownBy(() -> base.put(0, broken, config.hiddenSize()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("weights: got NaN in row 0, wanted finite numbers");
    }
  }
}
