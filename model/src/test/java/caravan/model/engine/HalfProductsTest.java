package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.ParameterLayout.Tensor;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;

/** Products of numbers rounded to bf16, and a training step made of them. */
class HalfProductsTest {
  private static final CpuOptions HALVES = new CpuOptions(true, false);

  /** The bf16 nearest to a float, ties to even, as a float. */
  private static float rounded(float x) {
    int bits = Float.floatToRawIntBits(x);
    return Float.intBitsToFloat((bits + 0x7fff + (bits >>> 16 & 1)) & 0xffff0000);
  }

  private static Buffer random(HalfGemm gemm, int rows, int stride, long seed) {
    java.util.Random random = new java.util.Random(seed);
    Buffer buffer = Buffer.allocateWithHalves((long) rows * stride);
    for (int i = 0; i < rows * stride; i++) {
      buffer.set(i, random.nextFloat() - 0.5f);
    }
    gemm.round(buffer.address(0), buffer.halfAddress(0), buffer.length());
    return buffer;
  }

  private interface Entry {
    float at(int row, int column);
  }

  private static void assertProduct(Buffer c, float before, int m, int n, int k, Entry a, Entry b) {
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        double sum = before;
        for (int l = 0; l < k; l++) {
          sum += (double) rounded(a.at(i, l)) * rounded(b.at(l, j));
        }
        assertThat(c.get(i * n + j)).isCloseTo((float) sum, within(2e-5f));
      }
    }
  }

  private static Buffer filled(int length, float value) {
    Buffer buffer = Buffer.allocate(length);
    for (int i = 0; i < length; i++) {
      buffer.set(i, value);
    }
    return buffer;
  }

  @ParameterizedTest(name = "{0} x {1} x {2}")
  @CsvSource({"1, 7, 9", "33, 50, 19", "64, 129, 48"})
  void products_equal_three_loops_over_rounded_numbers(int m, int n, int k) {
    int lda = Math.max(m, k) + 5;
    int ldb = Math.max(n, k) + 3;
    try (HalfGemm gemm = new HalfGemm();
        Buffer a = random(gemm, Math.max(m, k), lda, 1);
        Buffer b = random(gemm, Math.max(n, k), ldb, 2);
        Buffer c = filled(m * n, 0.25f)) {
      long left = a.halfAddress(0);
      long right = b.halfAddress(0);
      gemm.timesTransposed(m, n, k, left, lda, right, ldb, true, c.address(0), n);
      assertProduct(c, 0.25f, m, n, k, (i, l) -> a.get(i * lda + l), (l, j) -> b.get(j * ldb + l));
      gemm.times(m, n, k, left, lda, right, ldb, false, c.address(0), n);
      assertProduct(c, 0, m, n, k, (i, l) -> a.get(i * lda + l), (l, j) -> b.get(l * ldb + j));
      gemm.transposedTimes(m, n, k, left, lda, right, ldb, false, c.address(0), n);
      assertProduct(c, 0, m, n, k, (i, l) -> a.get(l * lda + i), (l, j) -> b.get(l * ldb + j));
    }
  }

  /** Gradient of a batch, and its loss in the last place. */
  private static float[] step(CpuEngine engine, FloatPointer parameters, TokenBatch batch) {
    int length = (int) new ParameterLayout(engine.config()).length();
    try (FloatPointer gradient = new FloatPointer(length)) {
      double loss = engine.lossAndGradient(parameters, gradient, batch);
      float[] values = new float[length + 1];
      gradient.get(values, 0, length);
      values[length] = (float) loss;
      return values;
    }
  }

  private static FloatPointer parameters(LlamaConfig config) {
    return new FloatPointer(Examples.parameters(config, DataType.FLOAT, 1).dup().data().asFloat());
  }

  @ParameterizedTest(name = "tied {0}, {1} threads")
  @CsvSource({"true, 1", "true, 2", "false, 2"})
  void gradient_is_that_of_fp32_but_for_rounding(boolean tied, int threads) {
    LlamaConfig config = Examples.config(4, 2, 16, tied);
    TokenBatch batch = Examples.batch(config, 3, 33, 2);
    try (CpuEngine exact = new CpuEngine(config, threads);
        CpuEngine halves = new CpuEngine(config, threads, HALVES);
        FloatPointer parameters = parameters(config)) {
      float[] wanted = step(exact, parameters, batch);
      float[] got = step(halves, parameters, batch);
      int length = wanted.length - 1;
      assertThat(got[length]).isCloseTo(wanted[length], within(0.01f * wanted[length]));
      assertThat(got[length]).isNotEqualTo(wanted[length]);
      for (Tensor tensor : new ParameterLayout(config).tensors()) {
        assertThat(relativeDistance(got, wanted, tensor)).as(tensor.name()).isLessThan(0.03);
      }
    }
  }

  private static double relativeDistance(float[] a, float[] b, Tensor tensor) {
    double distance = 0;
    double norm = 0;
    for (long i = tensor.offset(); i < tensor.offset() + tensor.length(); i++) {
      double wanted = b[(int) i];
      distance += Math.pow(a[(int) i] - wanted, 2);
      norm += wanted * wanted;
    }
    return Math.sqrt(distance / norm);
  }

  @Test
  void repeats_are_equal_bit_for_bit_and_see_changed_parameters() {
    LlamaConfig config = Examples.config(3, 3, 16, true);
    TokenBatch batch = Examples.batch(config, 2, 20, 4);
    try (CpuEngine engine = new CpuEngine(config, 2, HALVES);
        CpuEngine other = new CpuEngine(config, 2, HALVES);
        FloatPointer parameters = parameters(config)) {
      float[] first = step(engine, parameters, batch);
      assertThat(step(engine, parameters, batch)).isEqualTo(first);
      assertThat(step(other, parameters, batch)).isEqualTo(first);
      for (long i = 0; i < first.length - 1; i++) {
        parameters.put(i, parameters.get(i) * 1.1f);
      }
      assertThat(step(engine, parameters, batch)).isEqualTo(step(other, parameters, batch));
      assertThat(step(engine, parameters, batch)).isNotEqualTo(first);
    }
  }

  @Test
  void scores_stay_in_fp32() {
    LlamaConfig config = Examples.config(3, 3, 16, true);
    TokenBatch batch = Examples.batch(config, 2, 20, 4);
    try (CpuEngine exact = new CpuEngine(config, 1);
        CpuEngine halves = new CpuEngine(config, 1, HALVES);
        FloatPointer parameters = parameters(config)) {
      assertThat(halves.score(parameters, batch).logProbability())
          .isEqualTo(exact.score(parameters, batch).logProbability());
    }
  }
}
