package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

class DecoderTest {

  private static void assertRow(float[] actual, INDArray logits, int row) {
    for (int id = 0; id < actual.length; id++) {
      assertThat(actual[id])
          .as("logit %d after token %d", id, row)
          .isCloseTo(logits.getFloat(row, id), within(5e-5f));
    }
  }

  @ParameterizedTest(name = "{0}/{1} heads of {2}, tied {3}, {4} threads")
  @CsvSource({"4, 2, 16, true, 1", "4, 2, 16, true, 2", "3, 1, 48, false, 2", "2, 2, 8, true, 3"})
  void logits_equal_the_full_forward_pass(
      int heads, int kvHeads, int headDim, boolean tied, int threads) {
    LlamaConfig config = Examples.config(heads, kvHeads, headDim, tied);
    INDArray exact = Examples.parameters(config, DataType.DOUBLE, 1);
    int[] ids = Examples.batch(config, 1, 85, 2).ids();
    INDArray logits = new Nd4jEngine(config, DataType.DOUBLE).logits(exact, ids, 1, ids.length);
    try (FloatPointer parameters = new FloatPointer(exact.castTo(DataType.FLOAT).data().asFloat());
        CpuEngine engine = new CpuEngine(config, threads);
        LlamaEngine.Decoder decoder = engine.decoder(parameters, ids.length)) {
      int prompt = 70;
      assertRow(decoder.append(Arrays.copyOf(ids, prompt)), logits, prompt - 1);
      for (int i = prompt; i < 80; i++) {
        assertRow(decoder.append(ids[i]), logits, i);
      }
      assertRow(decoder.append(Arrays.copyOfRange(ids, 80, 85)), logits, 84);
      assertThat(decoder.length()).isEqualTo(85);
    }
  }

  @Test
  void a_prompt_longer_than_one_chunk_equals_token_by_token() {
    LlamaConfig config = new LlamaConfig(24, 40, 2, 3, 1, 8, 50, 700, 10_000, 1e-5, true);
    int[] ids = Examples.batch(config, 1, 600, 3).ids();
    try (FloatPointer parameters =
            new FloatPointer(Examples.parameters(config, DataType.FLOAT, 4).data().asFloat());
        CpuEngine engine = new CpuEngine(config, 2);
        LlamaEngine.Decoder whole = engine.decoder(parameters, 700);
        LlamaEngine.Decoder single = engine.decoder(parameters, 600)) {
      float[] expected = null;
      for (int id : ids) {
        expected = single.append(id);
      }
      assertThat(whole.append(ids)).containsExactly(expected, within(5e-5f));
    }
  }

  @Test
  void oracle_decoder_gives_the_same_logits() {
    LlamaConfig config = Examples.config(2, 1, 8, false);
    int[] ids = Examples.batch(config, 1, 9, 5).ids();
    try (FloatPointer parameters =
            new FloatPointer(Examples.parameters(config, DataType.FLOAT, 6).data().asFloat());
        CpuEngine engine = new CpuEngine(config, 1);
        Nd4jEngine oracle = new Nd4jEngine(config);
        LlamaEngine.Decoder fast = engine.decoder(parameters, 9);
        LlamaEngine.Decoder slow = oracle.decoder(parameters, 9)) {
      for (int id : ids) {
        assertThat(fast.append(id)).containsExactly(slow.append(id), within(2e-5f));
      }
      assertThat(slow.length()).isEqualTo(9);
    }
  }

  @Test
  void too_many_tokens_are_refused_and_the_decoder_goes_on() {
    LlamaConfig config = Examples.config(2, 1, 8, true);
    try (FloatPointer parameters =
            new FloatPointer(Examples.parameters(config, DataType.FLOAT, 7).data().asFloat());
        CpuEngine engine = new CpuEngine(config, 1);
        LlamaEngine.Decoder decoder = engine.decoder(parameters, 4)) {
      decoder.append(1, 2, 3);
      assertThatThrownBy(() -> decoder.append(4, 5))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "decoder: got 2 tokens after 3, wanted 1 to 1; start the decoder with a larger"
                  + " maximum length");
      assertThatThrownBy(() -> decoder.append(61))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("token at position 3: got id 61");
      decoder.append(4);
      assertThat(decoder.length()).isEqualTo(4);
    }
  }

  @ParameterizedTest(name = "{0}: logits within {1}")
  @CsvSource({"BF16, 0.02", "Q8_0, 0.04"})
  void packed_weights_give_nearly_the_same_logits_by_prompt_and_token(
      WeightType type, float tolerance) {
    LlamaConfig config = Examples.config(4, 2, 16, false);
    int[] ids = Examples.batch(config, 1, 40, 8).ids();
    try (FloatPointer parameters =
            new FloatPointer(Examples.parameters(config, DataType.FLOAT, 9).data().asFloat());
        CpuEngine exact = new CpuEngine(config, 1);
        CpuEngine packed = new CpuEngine(config, 2, type);
        LlamaEngine.Decoder expected = exact.decoder(parameters, 40);
        LlamaEngine.Decoder prompted = packed.decoder(parameters, 40);
        LlamaEngine.Decoder single = packed.decoder(parameters, 40)) {
      float[] wanted = expected.append(ids);
      float[] byToken = null;
      for (int id : ids) {
        byToken = single.append(id);
      }
      float[] byPrompt = prompted.append(ids);
      double size = norm(wanted, new float[wanted.length]);
      assertThat(norm(wanted, byToken) / size).isBetween(1e-4, (double) tolerance);
      // In bf16 a prompt is rounded as the weights are, a single token is not.
      assertThat(norm(wanted, byPrompt) / size).isBetween(1e-4, (double) tolerance);
      if (type == WeightType.Q8_0) {
        assertThat(byPrompt).containsExactly(byToken, within(5e-5f));
      }
    }
  }

  private static double norm(float[] a, float[] b) {
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      squares += (a[i] - b[i]) * (double) (a[i] - b[i]);
    }
    return Math.sqrt(squares);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(WeightType.class)
  void several_sequences_at_once_equal_each_alone_bit_for_bit_with_any_threads(WeightType type) {
    LlamaConfig config = Examples.config(3, 1, 48, true);
    int[] ids = Examples.batch(config, 1, 60, 10).ids();
    try (FloatPointer parameters =
            new FloatPointer(Examples.parameters(config, DataType.FLOAT, 11).data().asFloat());
        CpuEngine together = new CpuEngine(config, 2, type);
        LlamaEngine.Kept kept = together.keep(parameters);
        CpuEngine alone = new CpuEngine(config, 3, type)) {
      List<LlamaEngine.Decoder> sequences = new ArrayList<>();
      List<LlamaEngine.Decoder> singles = new ArrayList<>();
      for (int s = 0; s < 5; s++) {
        sequences.add(together.decoder(parameters, 20));
        singles.add(alone.decoder(parameters, 20));
        for (int i = 0; i < s; i++) {
          sequences.get(s).append(ids[i]);
          singles.get(s).append(ids[i]);
        }
      }
      for (int step = 0; step < 6; step++) {
        int[] next = Arrays.copyOfRange(ids, 5 * step, 5 * step + sequences.size());
        float[][] logits = together.appendToEach(sequences, next);
        for (int s = 0; s < next.length; s++) {
          assertThat(logits[s]).containsExactly(singles.get(s).append(next[s]));
        }
        if (step == 3) {
          sequences.remove(1).close();
          singles.remove(1).close();
        }
      }
      sequences.forEach(LlamaEngine.Decoder::close);
      singles.forEach(LlamaEngine.Decoder::close);
    }
  }

  @Test
  void a_batch_wants_one_token_for_each_of_different_sequences_of_one_model() {
    LlamaConfig config = Examples.config(2, 1, 8, true);
    try (FloatPointer parameters =
            new FloatPointer(Examples.parameters(config, DataType.FLOAT, 7).data().asFloat());
        CpuEngine engine = new CpuEngine(config, 1);
        LlamaEngine.Kept kept = engine.keep(parameters);
        LlamaEngine.Decoder one = engine.decoder(parameters, 4);
        LlamaEngine.Decoder other = engine.decoder(parameters, 1)) {
      assertThatThrownBy(() -> engine.appendToEach(List.of(one, one), new int[] {1, 2}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "decoders: wanted different sequences of one model whose parameters the engine"
                  + " keeps; the one at 1 is not");
      assertThatThrownBy(() -> engine.appendToEach(List.of(one, other), new int[] {1}))
          .hasMessage("decoders: got 1 tokens for 2 sequences, wanted one for each");
      engine.appendToEach(List.of(one, other), new int[] {1, 2});
      assertThatThrownBy(() -> engine.appendToEach(List.of(one, other), new int[] {1, 2}))
          .hasMessageStartingWith("decoder: got 1 tokens after 1, wanted 1 to 0");
      assertThat(one.length()).isEqualTo(1);
    }
  }
}
