package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.Golden;
import caravan.model.LlamaConfig;
import caravan.model.ParameterLayout;
import caravan.model.RopeScaling;
import caravan.model.checkpoint.GgufWriter.Weights;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GgufTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("caravan.root"), "model/src/test/resources/golden/gguf");
  private static final Configuration HADOOP = new Configuration();

  /** Rows of 64, so that Q8_0 can hold them. */
  private static final LlamaConfig SMALL =
      new LlamaConfig(64, 96, 2, 4, 2, 16, 50, 40, 10_000, 1e-5, true);

  @TempDir private Path folder;

  private static GgufFile open(Path file) {
    return GgufFile.open(Directory.holding(file.toString(), HADOOP), file.getFileName().toString());
  }

  private static float[] floats(GgufFile file, String tensor) {
    float[] all = new float[(int) file.tensors().get(tensor).length()];
    file.read(
        file.tensors().get(tensor),
        (from, floats, first, count) -> System.arraycopy(floats, first, all, (int) from, count));
    return all;
  }

  private static float[] floats(Checkpoint model) {
    float[] all = new float[(int) new ParameterLayout(model.config()).length()];
    model.parameters().get(all);
    return all;
  }

  private static Checkpoint random(LlamaConfig config) {
    Random random = new Random(5);
    FloatPointer parameters = new FloatPointer(new ParameterLayout(config).length());
    for (long i = 0; i < parameters.capacity(); i++) {
      parameters.put(i, (float) random.nextGaussian());
    }
    return Checkpoint.ofModel(config, SpecialTokens.of(1, 2), parameters, Map.of());
  }

  private Path written(Checkpoint model, Weights weights) {
    Path file = folder.resolve("model.gguf");
    GgufWriter.write(file.toString(), HADOOP, model, weights, Map.of());
    return file;
  }

  /** The gguf package's own numbers of random blocks ({@code make_gguf.py}). */
  @ParameterizedTest
  @EnumSource(GgufType.class)
  void everyElementTypeIsReadBitForBit(GgufType type) {
    try (GgufFile file = open(GOLDEN.resolve("types.gguf"));
        SafeTensors golden =
            SafeTensors.open(GOLDEN.resolve("types.safetensors").toString(), HADOOP);
        FloatPointer wanted = new FloatPointer(3 * 512)) {
      golden.read(golden.entries().get(type.name()), wanted, 0);
      float[] expected = new float[3 * 512];
      wanted.get(expected);
      assertThat(floats(file, type.name())).containsExactly(expected);
      assertThat(Arrays.stream(new int[] {0, 511, 1535}).filter(i -> expected[i] != 0).count())
          .isPositive();
    }
  }

  @Test
  void metadataIsRead() {
    try (GgufFile file = open(GOLDEN.resolve("types.gguf"))) {
      assertThat(file.metadata())
          .containsEntry("general.architecture", "llama")
          .containsEntry("llama.context_length", 32L)
          .containsEntry("tokenizer.ggml.tokens", List.of("<s>", "你好", "a"))
          .containsEntry("tokenizer.ggml.scores", List.of(0.0, -1.5, -2.0));
    }
  }

  /** {@code make_gguf.py --exported model/target/golden/gguf} opens these in the gguf package. */
  @Test
  void goldenModelsComeBackBitForBitAsF32() throws IOException {
    Path exported = Path.of(System.getProperty("caravan.root"), "model/target/golden/gguf");
    Files.createDirectories(exported);
    for (String name : List.of("tied", "grouped-untied", "llama3-8192", "llama31-8192", "linear")) {
      try (Golden golden = Golden.open(name.replace("-8192", ""))) {
        Checkpoint model = golden.model();
        if (name.endsWith("-8192")) {
          LlamaConfig scaled = model.config().withContext(32, RopeScaling.llama3(8, 1, 4, 8192));
          model = Checkpoint.ofModel(scaled, SpecialTokens.none(), model.parameters(), Map.of());
        }
        String file = exported.resolve(name.replace("-8192", "") + ".f32.gguf").toString();
        GgufWriter.write(file, HADOOP, model, Weights.F32, Map.of());
        try (Checkpoint back = Gguf.read(file, HADOOP).checkpoint()) {
          assertThat(back.config()).isEqualTo(model.config());
          assertThat(floats(back)).containsExactly(floats(model));
        }
      }
    }
  }

  @Test
  void aQuantizedModelComesBackWithinTheFormatsError() {
    try (Checkpoint model = random(SMALL)) {
      float[] before = floats(model);
      for (Weights weights : List.of(Weights.F16, Weights.Q8_0)) {
        try (Checkpoint back = Gguf.read(written(model, weights).toString(), HADOOP).checkpoint()) {
          float[] after = floats(back);
          boolean differs = false;
          for (int i = 0; i < before.length; i++) {
            // Half of a step: 2^-11 of the value, or 1/254 of the block's largest, which is below
            // 6.
            float step =
                weights == Weights.F16 ? Math.abs(before[i]) * 0x1p-11f + 0x1p-25f : 6 / 254f;
            assertThat(Math.abs(after[i] - before[i])).isLessThanOrEqualTo(step * 1.01f);
            differs |= after[i] != before[i];
          }
          assertThat(differs).isTrue();
        }
      }
    }
  }

  @Test
  void whatWasQuantizedOnceStaysAsItIs() {
    try (Checkpoint model = random(SMALL);
        Checkpoint once = Gguf.read(written(model, Weights.Q8_0).toString(), HADOOP).checkpoint();
        Checkpoint twice = Gguf.read(written(once, Weights.F32).toString(), HADOOP).checkpoint()) {
      assertThat(floats(twice)).containsExactly(floats(once));
    }
  }

  @Test
  void whatTheFormatCannotCarryIsRefused() {
    try (Checkpoint narrow = random(new LlamaConfig(48, 96, 1, 2, 2, 24, 9, 8, 1e4, 1e-5, true))) {
      assertThatThrownBy(() -> written(narrow, Weights.Q8_0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("token_embd.weight has rows of 48, but Q8_0 packs blocks of 32");
    }
    try (Checkpoint dynamic = random(SMALL.withContext(80, RopeScaling.dynamic(2, 40)))) {
      assertThatThrownBy(() -> written(dynamic, Weights.F32))
          .hasMessageContaining("model.rope-scaling: got dynamic, but GGUF carries");
    }
  }

  @Test
  void damagedAndForeignFilesAreRefusedWithWhatAndWhere() throws IOException {
    byte[] whole;
    try (Checkpoint model = random(SMALL)) {
      whole = Files.readAllBytes(written(model, Weights.F32));
    }
    refused(Arrays.copyOf(whole, whole.length - 40), "truncated; copy or download it again");
    refused(Arrays.copyOf(whole, 200), "its header speaks of");
    refused(new byte[100], "not a GGUF file, wanted GGUF version 2 or 3");
    refused(changed(whole, 4, 9), "version 9 of GGUF, wanted GGUF version 2 or 3");
    refused(changed(whole, 12, 0x7fffffff), "tensors in a file of");
    refused(changed(whole, 24, -1), "more bytes: truncated, or not GGUF");
    byte[] foreign =
        new String(whole, java.nio.charset.StandardCharsets.ISO_8859_1)
            .replaceFirst("llama", "mamba")
            .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
    refused(replaced(whole, "llama", "mamba"), "general.architecture is mamba, wanted llama");
    refused(
        replaced(whole, "blk.1.ffn_up", "blk.1.ffn_xx"),
        "tensor blk.1.ffn_up.weight is missing, wanted shape [96, 64]");
  }

  private static byte[] replaced(byte[] bytes, String text, String other) {
    return new String(bytes, StandardCharsets.ISO_8859_1)
        .replaceFirst(text, other)
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  private static byte[] changed(byte[] bytes, int at, int value) {
    byte[] copy = bytes.clone();
    ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
    return copy;
  }

  private void refused(byte[] bytes, String message) throws IOException {
    Path file = folder.resolve("bad.gguf");
    Files.write(file, bytes);
    assertThatThrownBy(() -> Gguf.read(file.toString(), HADOOP))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("bad.gguf")
        .hasMessageContaining(message);
  }

  @Test
  void halvesRoundToTheNearestAndTiesToEven() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = HalfFloat.toFloat((short) bits);
      if (!Float.isNaN(value)) {
        assertThat(HalfFloat.fromFloat(value)).isEqualTo((short) bits);
      }
    }
    assertThat(HalfFloat.toFloat(HalfFloat.fromFloat(1 + 0x1p-11f))).isEqualTo(1f);
    assertThat(HalfFloat.toFloat(HalfFloat.fromFloat(1 + 3 * 0x1p-11f))).isEqualTo(1 + 0x1p-9f);
    assertThat(HalfFloat.toFloat(HalfFloat.fromFloat(65519.9f))).isEqualTo(65504f);
    assertThat(HalfFloat.toFloat(HalfFloat.fromFloat(65520f))).isInfinite();
    assertThat(HalfFloat.toFloat(HalfFloat.fromFloat(Float.NaN))).isNaN();
    assertThat(HalfFloat.toFloat(HalfFloat.fromFloat(0x1p-25f))).isZero();
    assertThat(HalfFloat.toFloat(HalfFloat.fromFloat(0x1.8p-25f))).isEqualTo(0x1p-24f);
  }
}
