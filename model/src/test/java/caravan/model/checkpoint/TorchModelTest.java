package caravan.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.model.Golden;
import caravan.model.ParameterLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The weights of the golden models, as the real torch saved them (make_torch.py). */
class TorchModelTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("caravan.root"), "model/src/test/resources/golden/torch");
  private static final Configuration HADOOP = new Configuration();

  @TempDir private Path folder;

  private static float[] floats(Checkpoint model) {
    float[] values = new float[(int) new ParameterLayout(model.config()).length()];
    model.parameters().get(values);
    return values;
  }

  private static void assertSame(Checkpoint model, String golden) throws IOException {
    try (model;
        Golden wanted = Golden.open(golden)) {
      assertThat(model.config()).isEqualTo(wanted.config());
      assertThat(floats(model)).isEqualTo(floats(wanted.model()));
    }
  }

  @Test
  void llama2csCheckpointOfACompiledModelIsRead() throws IOException {
    Checkpoint model = TorchModel.read(GOLDEN.resolve("ckpt.pt").toString(), HADOOP);
    assertThat(model.specialTokens()).isEqualTo(SpecialTokens.of(1, 2));
    assertSame(model, "tied");
  }

  @Test
  void aHuggingFaceDirectoryOfTorchFilesIsReadSingleAndSharded() throws IOException {
    assertSame(Checkpoints.open(GOLDEN.resolve("single").toString(), HADOOP), "grouped-untied");
    assertSame(
        Checkpoints.open(GOLDEN.resolve("sharded").toString(), HADOOP), "multi-query-bfloat16");
    Path file = GOLDEN.resolve("single/pytorch_model.bin");
    assertSame(TorchModel.read(file.toString(), HADOOP), "grouped-untied");
    assertThat(TorchModel.isAt(file.toString(), HADOOP)).isTrue();
    assertThat(TorchModel.isAt(GOLDEN.resolve("legacy.pt").toString(), HADOOP)).isFalse();
  }

  @Test
  void metasFileIsReadWithItsParameters() throws IOException {
    Path file = GOLDEN.resolve("meta/consolidated.00.pth");
    try (Checkpoint model = TorchModel.read(file.toString(), HADOOP);
        Golden wanted = Golden.open("tied")) {
      assertThat(model.config().tiedEmbeddings()).isFalse();
      assertThat(model.config().contextLength()).isEqualTo(4096);
      float[] got = floats(model);
      float[] tied = floats(wanted.model());
      assertThat(Arrays.copyOf(got, tied.length)).isEqualTo(tied);
      int head = model.config().vocabSize() * model.config().hiddenSize();
      assertThat(Arrays.copyOfRange(got, tied.length, tied.length + head))
          .isEqualTo(Arrays.copyOf(tied, head));
    }
  }

  @Test
  void whatMetasParametersDoNotTellIsAskedFor() throws IOException {
    Path file = folder.resolve("consolidated.00.pth");
    Files.copy(GOLDEN.resolve("meta/consolidated.00.pth"), file);
    refused(file, "Meta's tensor names, but no params.json beside it");
    Path params = folder.resolve("params.json");
    Files.writeString(params, "{\"dim\":16,\"n_layers\":2,\"n_heads\":4,\"use_scaled_rope\":true}");
    refused(file, "add \"rope_scaling_factor\": 8 for Llama 3.1, 32 for Llama 3.2");
    Files.writeString(params, "{\"dim\":16,\"n_layers\":3,\"n_heads\":4}");
    refused(file, "tensor layers.2.attention_norm.weight is missing, wanted shape [16]");
    Files.writeString(params, "{\"dim\":16,\"n_layers\":1,\"n_heads\":4}");
    refused(file, "9 unexpected tensors, the first is layers.1.attention.wk.weight of shape [16,");
    Files.writeString(params, "{\"dim\":16,\"n_layers\":2,\"n_heads\":2,\"n_kv_heads\":1}");
    refused(file, "layers.0.attention.wk.weight has shape [16, 16], wanted shape [8, 16]");
    Files.writeString(params, "{\"dim\":16,\"n_layers\":2,\"n_heads\":5}");
    refused(file, "n_heads is 5, wanted a divisor of dim = 16");
    Files.writeString(params, "{\"dim\":16.5}");
    refused(file, "dim is a Double, wanted a whole number");
    Files.createFile(folder.resolve("consolidated.01.pth"));
    refused(file, "a model that was cut for several GPUs");
  }

  @Test
  void aStateDictAloneIsNoModel() throws IOException {
    Path file = folder.resolve("pytorch_model.bin");
    Files.copy(GOLDEN.resolve("single/pytorch_model.bin"), file);
    refused(file, "does not tell the model's shape, wanted config.json beside it");
    Files.copy(GOLDEN.resolve("sharded/config.json"), folder.resolve("config.json"));
    refused(file, "unexpected tensors, the first is model.layers.1.input_layernorm.weight");
  }

  @Test
  void aWeightThatIsNoNumberIsNamed() throws IOException {
    byte[] bytes = Files.readAllBytes(GOLDEN.resolve("single/pytorch_model.bin"));
    int name = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("data/1");
    // The storage follows its name, aligned to 64 bytes.
    int storage = (name + 6 + 63) / 64 * 64;
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(storage + 4 * 7, Float.NaN);
    Path broken = Files.write(folder.resolve("pytorch_model.bin"), bytes);
    Files.copy(GOLDEN.resolve("single/config.json"), folder.resolve("config.json"));
    refused(
        broken,
        "pytorch_model.bin: tensor model.layers.0.self_attn.q_proj.weight of shape [24, 20] holds"
            + " NaN at row 0, column 7, wanted finite numbers");
  }

  private static void refused(Path file, String message) {
    assertThatThrownBy(() -> TorchModel.read(file.toString(), HADOOP))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(file.getParent().toString())
        .hasMessageContaining(message);
  }
}
