package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

class CpuEngineTest {

  private static float[] floats(INDArray array) {
    return array.castTo(DataType.FLOAT).dup().data().asFloat();
  }

  private static FloatPointer pointer(INDArray array) {
    return new FloatPointer(floats(array));
  }

  private static float[] values(FloatPointer pointer, long length) {
    float[] values = new float[(int) length];
    pointer.get(values);
    return values;
  }

  /** Gradient and loss by the CPU engine. */
  private record Step(double loss, float[] gradient) {
    static Step of(LlamaEngine engine, FloatPointer parameters, TokenBatch batch) {
      long length = new ParameterLayout(engine.config()).length();
      try (FloatPointer gradient = new FloatPointer(length)) {
        // What was there before must not matter.
        for (long i = 0; i < length; i++) {
          gradient.put(i, Float.NaN);
        }
        double loss = engine.lossAndGradient(parameters, gradient, batch);
        return new Step(loss, values(gradient, length));
      }
    }
  }

  @ParameterizedTest(name = "{0}/{1} heads of {2}, tied {3}, batch {4} x {5}, {6} threads")
  @CsvSource({
    "2, 2, 8,  true,  1, 1,  1",
    "3, 3, 8,  true,  3, 17, 1",
    "3, 3, 8,  false, 3, 17, 2",
    "4, 2, 16, true,  2, 33, 2",
    "6, 2, 48, false, 2, 70, 2",
    "4, 1, 64, true,  1, 90, 2",
    "2, 1, 48, true,  5, 65, 3",
    "8, 4, 8,  false, 4, 64, 1",
    "2, 1, 34, true,  2, 20, 2",
  })
  void loss_and_gradient_equal_the_oracle_in_double(
      int heads, int kvHeads, int headDim, boolean tied, int batch, int seq, int threads) {
    LlamaConfig config = Examples.config(heads, kvHeads, headDim, tied);
    INDArray exact = Examples.parameters(config, DataType.DOUBLE, 1);
    TokenBatch tokens = Examples.batch(config, batch, seq, 2);
    INDArray expected = exact.ulike();
    double loss = new Nd4jEngine(config, DataType.DOUBLE).lossAndGradient(exact, expected, tokens);
    try (CpuEngine engine = new CpuEngine(config, threads);
        FloatPointer parameters = pointer(exact)) {
      Step step = Step.of(engine, parameters, tokens);
      assertThat(step.loss()).isCloseTo(loss, within(2e-6 * loss));
      assertCloseByTensor(config, step.gradient(), expected, 2e-5);
      // Larger buffers than needed, and buffers that have been used, change nothing.
      Step.of(engine, parameters, Examples.batch(config, batch + 1, Math.min(90, seq + 3), 9));
      Step again = Step.of(engine, parameters, tokens);
      assertThat(again.loss()).isEqualTo(step.loss());
      assertThat(again.gradient()).isEqualTo(step.gradient());
    }
  }

  /** Every tensor by itself: a small one must not hide behind a large one's scale. */
  private static void assertCloseByTensor(
      LlamaConfig config, float[] actual, INDArray expected, double tolerance) {
    for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
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

  @ParameterizedTest(name = "{0} threads")
  @CsvSource({"1", "2", "3"})
  void scores_equal_the_oracle(int threads) {
    LlamaConfig config = Examples.config(4, 2, 16, true);
    TokenBatch batch = Examples.batch(config, 3, 40, 6);
    try (CpuEngine engine = new CpuEngine(config, threads);
        Nd4jEngine oracle = new Nd4jEngine(config);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 7))) {
      LlamaEngine.TokenScores scores = engine.score(parameters, batch);
      LlamaEngine.TokenScores expected = oracle.score(parameters, batch);
      for (int i = 0; i < batch.targets().length; i++) {
        assertThat(scores.logProbability()[i])
            .as("position %d", i)
            .isCloseTo(expected.logProbability()[i], within(2e-5f));
      }
      assertThat(scores.greedy()).isEqualTo(expected.greedy());
    }
  }

  @Test
  void logits_in_chunks_equal_logits_at_once() {
    LlamaConfig config = Examples.config(2, 2, 8, true);
    TokenBatch batch = Examples.batch(config, 3, 80, 22);
    try (CpuEngine chunks = new CpuEngine(config, 2, 1);
        CpuEngine whole = new CpuEngine(config, 2);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 23))) {
      Step step = Step.of(chunks, parameters, batch);
      Step expected = Step.of(whole, parameters, batch);
      assertThat(step.loss()).isCloseTo(expected.loss(), within(1e-6));
      assertCloseByTensor(config, step.gradient(), Nd4j.createFromArray(expected.gradient()), 1e-5);
      float[] scores = whole.score(parameters, batch).logProbability();
      for (int repeat = 0; repeat < 100; repeat++) {
        assertThat(chunks.score(parameters, batch).logProbability())
            .containsExactly(scores, within(1e-5f));
      }
    }
  }

  @Test
  void mean_of_scores_is_the_loss() {
    LlamaConfig config = Examples.config(3, 1, 8, true);
    TokenBatch batch = Examples.batch(config, 2, 21, 8);
    try (CpuEngine engine = new CpuEngine(config, 2);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 9))) {
      LlamaEngine.TokenScores scores = engine.score(parameters, batch);
      double mean =
          IntStream.range(0, batch.ids().length).mapToDouble(i -> -scores.logProbability()[i]).sum()
              / batch.targetCount();
      assertThat(Step.of(engine, parameters, batch).loss()).isCloseTo(mean, within(1e-6));
    }
  }

  @Test
  void greedy_says_which_target_the_model_would_have_chosen() {
    LlamaConfig config = Examples.config(2, 2, 8, true);
    int[] ids = Examples.batch(config, 1, 12, 10).ids();
    INDArray parameters = Examples.parameters(config, DataType.DOUBLE, 11);
    INDArray logits =
        new Nd4jEngine(config, DataType.DOUBLE).logits(parameters, ids, 1, ids.length);
    int[] best = logits.argMax(1).toIntVector();
    int[] other = Arrays.stream(best).map(id -> (id + 1) % config.vocabSize()).toArray();
    try (CpuEngine engine = new CpuEngine(config, 1);
        FloatPointer pointer = pointer(parameters)) {
      assertThat(engine.score(pointer, new TokenBatch(ids, best, 1, ids.length)).greedy())
          .containsOnly(true);
      assertThat(engine.score(pointer, new TokenBatch(ids, other, 1, ids.length)).greedy())
          .containsOnly(false);
    }
  }

  @Test
  void a_later_token_changes_no_earlier_score() {
    LlamaConfig config = Examples.config(4, 2, 8, true);
    TokenBatch batch = Examples.batch(config, 1, 80, 12);
    int changed = 67;
    int[] ids = batch.ids().clone();
    ids[changed] = (ids[changed] + 1) % config.vocabSize();
    TokenBatch other = new TokenBatch(ids, batch.targets(), 1, 80);
    try (CpuEngine engine = new CpuEngine(config, 2);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 13))) {
      float[] before = engine.score(parameters, batch).logProbability().clone();
      float[] after = engine.score(parameters, other).logProbability();
      assertThat(Arrays.copyOf(after, changed)).isEqualTo(Arrays.copyOf(before, changed));
      for (int i = changed; i < 80; i++) {
        assertThat(after[i]).as("position %d", i).isNotEqualTo(before[i]);
      }
    }
  }

  @Test
  void a_sequence_does_not_see_its_neighbours_in_the_batch() {
    LlamaConfig config = Examples.config(4, 2, 8, false);
    TokenBatch batch = Examples.batch(config, 3, 30, 14);
    int[] ids = batch.ids().clone();
    Arrays.fill(ids, 0, 30, 1);
    Arrays.fill(ids, 60, 90, 2);
    try (CpuEngine engine = new CpuEngine(config, 2);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 15))) {
      float[] before = engine.score(parameters, batch).logProbability().clone();
      float[] after =
          engine.score(parameters, new TokenBatch(ids, batch.targets(), 3, 30)).logProbability();
      assertThat(Arrays.copyOfRange(after, 30, 60)).isEqualTo(Arrays.copyOfRange(before, 30, 60));
    }
  }

  @Test
  void ignored_targets_contribute_nothing() {
    LlamaConfig config = Examples.config(2, 1, 16, true);
    TokenBatch batch = Examples.batch(config, 2, 25, 16);
    int wanted = 7;
    TokenBatch one = Examples.onlyTarget(batch, wanted);
    try (CpuEngine engine = new CpuEngine(config, 2);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 17))) {
      // Everything after the only target, and the whole other sequence, cannot matter.
      int[] ids = one.ids().clone();
      for (int i = wanted + 1; i < ids.length; i++) {
        ids[i] = (ids[i] + 3) % config.vocabSize();
      }
      Step step = Step.of(engine, parameters, one);
      Step other = Step.of(engine, parameters, new TokenBatch(ids, one.targets(), 2, 25));
      assertThat(other.loss()).isEqualTo(step.loss());
      assertThat(other.gradient()).isEqualTo(step.gradient());
      assertThat(step.loss())
          .isCloseTo(-engine.score(parameters, batch).logProbability()[wanted], within(1e-5));
    }
  }

  @Test
  void a_batch_without_targets_has_no_loss_and_no_gradient() {
    LlamaConfig config = Examples.config(2, 1, 16, false);
    int[] none = new int[20];
    Arrays.fill(none, TokenBatch.IGNORED);
    try (CpuEngine engine = new CpuEngine(config, 2);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 18))) {
      Step step = Step.of(engine, parameters, new TokenBatch(new int[20], none, 2, 10));
      assertThat(step.loss()).isZero();
      assertThat(step.gradient()).containsOnly(0f);
    }
  }

  @Test
  void thread_counts_differ_by_rounding_only_and_repeat_bit_for_bit() {
    LlamaConfig config = Examples.config(4, 2, 16, true);
    TokenBatch batch = Examples.batch(config, 4, 50, 19);
    try (FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 20));
        CpuEngine one = new CpuEngine(config, 1);
        CpuEngine two = new CpuEngine(config, 2);
        CpuEngine alsoTwo = new CpuEngine(config, 2)) {
      Step step = Step.of(two, parameters, batch);
      for (int repeat = 0; repeat < 5; repeat++) {
        Step again = Step.of(repeat % 2 == 0 ? two : alsoTwo, parameters, batch);
        assertThat(again.loss()).isEqualTo(step.loss());
        assertThat(again.gradient()).isEqualTo(step.gradient());
      }
      assertCloseByTensor(
          config,
          Step.of(one, parameters, batch).gradient(),
          Nd4j.createFromArray(step.gradient()),
          2e-5);
    }
  }

  @Test
  void wrong_batches_say_what_is_wrong() {
    LlamaConfig config = Examples.config(2, 1, 8, true);
    try (CpuEngine engine = new CpuEngine(config, 1);
        FloatPointer parameters = pointer(Examples.parameters(config, DataType.DOUBLE, 21))) {
      assertThatThrownBy(
              () -> engine.score(parameters, new TokenBatch(new int[] {1, 61}, new int[2], 1, 2)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "token at position 1: got id 61, wanted 0 to 60 (model.vocab-size); use the"
                  + " tokenizer this model was made for");
      assertThatThrownBy(
              () ->
                  Step.of(engine, parameters, new TokenBatch(new int[2], new int[] {3, -2}, 1, 2)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("target at position 1: got id -2, wanted 0 to 60");
      assertThatThrownBy(
              () -> engine.score(parameters, new TokenBatch(new int[91], new int[91], 1, 91)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "batch: got sequences of 91 tokens, wanted at most 90"
                  + " (model.max-position-embeddings); lower train.sequence-length");
      assertThatThrownBy(() -> engine.decoder(parameters, 91))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("got a length of 91 tokens, wanted 1 to 90");
    }
    assertThatThrownBy(() -> new CpuEngine(config, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("engine threads: got 0");
  }

  @Test
  void a_closed_engine_refuses_work() {
    LlamaConfig config = Examples.config(2, 1, 8, true);
    CpuEngine engine = new CpuEngine(config, 2);
    engine.close();
    engine.close();
    assertThatThrownBy(
            () -> engine.score(new FloatPointer(1), new TokenBatch(new int[1], new int[1], 1, 1)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("engine: used after close(); open a new one");
  }
}
