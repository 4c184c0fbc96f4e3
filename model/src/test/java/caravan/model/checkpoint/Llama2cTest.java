package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Llama2cTest {
  private static final LlamaConfig TIED = new LlamaConfig(8, 12, 2, 2, 1, 4, 5, 3, 1e4, 1e-5, true);

  private final Configuration hadoop = new Configuration();
  @TempDir Path folder;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("model.bin");
  }

  /** Every float of the file is its own index: where each lands shows the whole mapping. */
  @Test
  void everyTensorLandsWhereTheLayoutWantsItAndQueriesAndKeysAreReordered() throws IOException {
    writeIndexed(TIED, fileFloats(TIED));
    try (Checkpoint model = Llama2c.read(file.toString(), hadoop)) {
      assertThat(model.config()).isEqualTo(TIED);
      assertThat(model.specialTokens()).isEqualTo(SpecialTokens.of(1, 2));
      float[] read = TinyLlama.floats(model.parameters(), TIED);
      ParameterLayout layout = new ParameterLayout(TIED);
      // embedding 5 × 8, then 2 attention norms of 8, then 2 × wq 8 × 8 …
      assertThat(read[(int) layout.embedding().offset() + 39]).isEqualTo(39);
      assertThat(read[(int) layout.block(1).attentionNorm().offset()]).isEqualTo(48);
      int wq = 40 + 16;
      int wk = wq + 2 * 64;
      int wv = wk + 2 * 32;
      int wo = wv + 2 * 32;
      int ffnNorm = wo + 2 * 64;
      int w1 = ffnNorm + 16;
      int w2 = w1 + 2 * 96;
      int w3 = w2 + 2 * 96;
      int finalNorm = w3 + 2 * 96;
      // Second layer. A head's rows 0 1 2 3 are Meta's 0 2 1 3.
      int qkv = (int) layout.block(1).qkv().offset();
      int[] metaRows = {0, 2, 1, 3, 4, 6, 5, 7};
      for (int row = 0; row < 8; row++) {
        assertThat(read[qkv + 8 * row])
            .as("query row " + row)
            .isEqualTo(wq + 64 + 8 * metaRows[row]);
      }
      for (int row = 0; row < 4; row++) {
        assertThat(read[qkv + 64 + 8 * row])
            .as("key row " + row)
            .isEqualTo(wk + 32 + 8 * metaRows[row]);
        assertThat(read[qkv + 96 + 8 * row]).as("value row " + row).isEqualTo(wv + 32 + 8 * row);
      }
      assertThat(read[(int) layout.block(1).attentionOutput().offset()]).isEqualTo(wo + 64);
      assertThat(read[(int) layout.block(1).mlpNorm().offset()]).isEqualTo(ffnNorm + 8);
      assertThat(read[(int) layout.block(1).gateUp().offset()]).isEqualTo(w1 + 96);
      assertThat(read[(int) layout.block(1).gateUp().offset() + 96]).isEqualTo(w3 + 96);
      assertThat(read[(int) layout.block(1).down().offset()]).isEqualTo(w2 + 96);
      assertThat(read[(int) layout.finalNorm().offset()]).isEqualTo(finalNorm);
    }
  }

  @Test
  void anUnsharedHeadIsMarkedByANegativeVocabularyAndFollowsTheRotaryTables() throws IOException {
    LlamaConfig untied = new LlamaConfig(8, 12, 2, 2, 1, 4, 5, 3, 1e4, 1e-5, false);
    int floats = fileFloats(untied);
    writeIndexed(untied, floats);
    try (Checkpoint model = Llama2c.read(file.toString(), hadoop)) {
      assertThat(model.config().tiedEmbeddings()).isFalse();
      float[] read = TinyLlama.floats(model.parameters(), untied);
      assertThat(read[read.length - 1]).isEqualTo(floats - 1);
      assertThat(read[read.length - 40]).isEqualTo(floats - 40);
    }
  }

  @Test
  void aModelThatWasWrittenReadsBackExactly() {
    for (boolean tied : new boolean[] {true, false}) {
      LlamaConfig config = new LlamaConfig(24, 20, 2, 4, 2, 6, 17, 32, 10000, 1e-5, tied);
      try (Checkpoint model = TinyLlama.checkpoint(config, 3)) {
        Llama2c.write(file.toString(), hadoop, model, false);
        try (Checkpoint read = Llama2c.read(file.toString(), hadoop)) {
          assertThat(read.config()).isEqualTo(config);
          assertThat(TinyLlama.floats(read.parameters(), config))
              .isEqualTo(TinyLlama.floats(model.parameters(), config));
        }
      }
    }
  }

  @Test
  void aQuantizedModelReadsBackWithinHalfAStepAndHoldsItsScalesBehindEachTensor()
      throws IOException {
    for (boolean tied : new boolean[] {true, false}) {
      LlamaConfig config = new LlamaConfig(32, 96, 2, 4, 2, 8, 17, 32, 10000, 1e-5, tied);
      try (Checkpoint model = TinyLlama.checkpoint(config, 3)) {
        Llama2c.write(file.toString(), hadoop, model, true);
        float[] wanted = TinyLlama.floats(model.parameters(), config);
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(bytes.get(36)).isEqualTo((byte) (tied ? 1 : 0));
        assertThat(bytes.getInt(37)).as("64, halved until it divides the width").isEqualTo(32);
        assertFirstGroupOfTheEmbedding(bytes, config, wanted);
        try (Checkpoint read = Llama2c.read(file.toString(), hadoop)) {
          assertThat(read.config()).isEqualTo(config);
          float[] got = TinyLlama.floats(read.parameters(), config);
          for (ParameterLayout.Tensor tensor : new ParameterLayout(config).tensors()) {
            assertWithinHalfAStep(tensor, got, wanted);
          }
        }
      }
    }
  }

  /** Behind the 256 bytes of the header and the gains: int8 elements, then a float per 32. */
  private static void assertFirstGroupOfTheEmbedding(
      ByteBuffer bytes, LlamaConfig config, float[] wanted) {
    int start = 256 + Float.BYTES * 5 * 32;
    float scale = bytes.getFloat(start + 17 * 32);
    float largest = 0;
    for (int i = 0; i < 32; i++) {
      assertThat(bytes.get(start + i)).isEqualTo((byte) Math.rint(wanted[i] / scale));
      largest = Math.max(largest, Math.abs(wanted[i]));
    }
    assertThat(scale).isEqualTo(largest / 127);
  }

  private static void assertWithinHalfAStep(
      ParameterLayout.Tensor tensor, float[] got, float[] wanted) {
    int offset = (int) tensor.offset();
    for (int row = 0; row < tensor.rows(); row++) {
      for (int group = 0; group < tensor.cols(); group += 32) {
        float largest = 0;
        for (int i = 0; i < 32; i++) {
          largest = Math.max(largest, Math.abs(wanted[offset + row * tensor.cols() + group + i]));
        }
        float error = tensor.isNorm() ? 0 : largest / 254 * 1.001f;
        for (int i = 0; i < 32; i++) {
          int at = offset + row * tensor.cols() + group + i;
          assertThat(Math.abs(got[at] - wanted[at])).isLessThanOrEqualTo(error);
        }
      }
    }
  }

  @Test
  void whatTheFormatCannotCarryIsRefused() {
    assertThatThrownBy(
            () ->
                Llama2c.write(
                    file.toString(), hadoop, TinyLlama.checkpoint(TinyLlama.UNTIED, 1), false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "model.rope-theta: got 500000.0, but llama2.c's format can only carry 10000.0");
    assertThatThrownBy(
            () ->
                Llama2c.write(
                    file.toString(), hadoop, TinyLlama.checkpoint(TinyLlama.TIED, 1), true))
        .hasMessageContaining("model.head-dim: got 6.0, but llama2.c's format can only carry 3.0");
    assertThat(file).doesNotExist();
  }

  @Test
  void aTruncatedOrForeignFileIsRefused() throws IOException {
    writeIndexed(TIED, fileFloats(TIED) - 1);
    assertThatThrownBy(() -> Llama2c.read(file.toString(), hadoop))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(": truncated, or not a llama2.c model");
    Files.write(
        file,
        new byte[] {
          0x32, 0x34, 0x6b, 0x61, 3, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
          1, 1
        });
    assertThatThrownBy(() -> Llama2c.read(file.toString(), hadoop))
        .hasMessageContaining("version 3 of the format, wanted 0, 1 or 2");
    Files.write(file, new byte[28]);
    assertThatThrownBy(() -> Llama2c.read(file.toString(), hadoop))
        .hasMessageContaining("not a llama2.c model: dim 0 does not divide by n_heads 0");
    Files.write(file, new byte[5]);
    assertThatThrownBy(() -> Llama2c.read(file.toString(), hadoop))
        .hasMessageContaining("5 bytes, too short for a llama2.c model");
  }

  @Test
  void theTokenizerMergesByScoreAndFallsBackToBytes() {
    Llama2cTokenizer tokenizer = new Llama2cTokenizer(tokenizerFile(), 266);
    // The space and h are one piece; "he" scores higher than " h", so it merges first.
    assertThat(tokenizer.encode(utf8("he"))).containsExactly(265);
    assertThat(tokenizer.encode(utf8("eh"))).containsExactly(259, 261, 260);
    assertThat(tokenizer.encode(utf8("é中")))
        .containsExactly(259, 264, 0xe4 + 3, 0xb8 + 3, 0xad + 3);
    assertThat(tokenizer.encode(utf8(""))).isEmpty();
    assertThat(tokenizer.decode(1, 265)).isEqualTo(utf8("he"));
    assertThat(tokenizer.decode(265)).isEqualTo(utf8(" he"));
    assertThat(tokenizer.decode(0xe4 + 3, 0xb8 + 3, 0xad + 3)).isEqualTo(utf8("中"));
  }

  @Test
  void aTokenizerOfAnotherModelIsRefused() {
    assertThatThrownBy(() -> new Llama2cTokenizer(tokenizerFile(), 512))
        .hasMessage(
            "tokenizer.bin: 266 pieces, wanted the model's vocabulary of 512; it belongs to another"
                + " model");
    byte[] cut = Arrays.copyOf(tokenizerFile(), tokenizerFile().length - 1);
    assertThatThrownBy(() -> new Llama2cTokenizer(cut, 266))
        .hasMessage("tokenizer.bin: cut short after piece 265, wanted 266");
    assertThatThrownBy(() -> new Llama2cTokenizer(tokenizerFile(), 266).decode(266))
        .hasMessage("id 266 is outside the vocabulary of 266");
  }

  private static byte[] tokenizerFile() {
    ByteBuffer out = ByteBuffer.allocate(10_000).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(6);
    piece(out, "<unk>", 0);
    piece(out, "\n<s>\n", 0);
    piece(out, "\n</s>\n", 0);
    for (int b = 0; b < 256; b++) {
      piece(out, String.format("<0x%02X>", b), 0);
    }
    piece(out, " ", -5);
    piece(out, "h", -6);
    piece(out, "e", -7);
    piece(out, " h", -2);
    piece(out, "he", -1);
    piece(out, "é", -8);
    piece(out, " he", -3);
    return Arrays.copyOf(out.array(), out.position());
  }

  private static void piece(ByteBuffer out, String piece, float score) {
    byte[] bytes = utf8(piece);
    out.putFloat(score).putInt(bytes.length).put(bytes);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static int fileFloats(LlamaConfig config) {
    return (int) new ParameterLayout(config).length() + config.contextLength() * config.headDim();
  }

  private void writeIndexed(LlamaConfig c, int floats) throws IOException {
    ByteBuffer out = ByteBuffer.allocate(28 + 4 * floats).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(c.hiddenSize()).putInt(c.intermediateSize()).putInt(c.layerCount());
    out.putInt(c.headCount()).putInt(c.kvHeadCount());
    out.putInt(c.tiedEmbeddings() ? c.vocabSize() : -c.vocabSize()).putInt(c.contextLength());
    for (int i = 0; i < floats; i++) {
      out.putFloat(i);
    }
    Files.write(file, out.array());
  }
}
