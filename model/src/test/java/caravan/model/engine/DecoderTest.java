package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import java.util.Arrays;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
}
