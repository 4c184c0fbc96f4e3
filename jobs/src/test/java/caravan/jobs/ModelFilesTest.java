package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.model.ParameterLayout;
import caravan.model.checkpoint.Checkpoint;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models as files of other programs, through the commands. */
class ModelFilesTest {
  private static final Configuration HADOOP = new Configuration();

  @TempDir private Path folder;
  private String checkpoint;

  @BeforeEach
  void write() {
    checkpoint = TinyModel.write(folder.resolve("model"));
  }

  private Said export(String output, String... more) {
    return CommandLine.run(
        arguments(List.of("export", "checkpoint=" + checkpoint, "output=" + output), more));
  }

  private static String[] arguments(List<String> first, String... more) {
    String[] all = first.toArray(new String[first.size() + more.length]);
    System.arraycopy(more, 0, all, first.size(), more.length);
    return all;
  }

  private static String greedy(String model) {
    Said said =
        CommandLine.run(
            "generate",
            "--json",
            "checkpoint=" + model,
            "prompt=the sky 天空 🚚",
            "max-tokens=8",
            "temperature=0",
            "generate.threads=1");
    assertThat(said.status()).as(said.err()).isZero();
    return said.out();
  }

  private static float[] floats(Checkpoint model) {
    float[] all = new float[(int) new ParameterLayout(model.config()).length()];
    model.parameters().get(all);
    return all;
  }

  @Test
  void aGgufFileCarriesModelAndVocabularyThereAndBack() {
    String file = folder.resolve("model.gguf").toString();
    Said exported = export(file);
    assertThat(exported.status()).as(exported.err()).isZero();
    assertThat(greedy(file)).isEqualTo(greedy(checkpoint));

    String back = folder.resolve("back").toString();
    assertThat(CommandLine.run("import", "input=" + file, "output=" + back).status()).isZero();
    try (Checkpoint before = ModelFiles.open(checkpoint, HADOOP, Optional.empty());
        Checkpoint after = ModelFiles.open(back, HADOOP, Optional.empty())) {
      assertThat(after.config()).isEqualTo(before.config());
      assertThat(after.specialTokens()).isEqualTo(before.specialTokens());
      assertThat(floats(after)).isEqualTo(floats(before));
      assertThat(after.tokenizerFiles()).containsKeys("tokenizer.model", "tokenizer_config.json");
    }
    assertThat(greedy(back)).isEqualTo(greedy(checkpoint));
  }

  @Test
  void quantizedFilesAreReadBack() {
    String gguf = folder.resolve("model.gguf").toString();
    String llama2c = folder.resolve("model.bin").toString();
    for (String file : List.of(gguf, llama2c)) {
      assertThat(export(file, "export.weights=q8_0").status()).isZero();
      try (Checkpoint before = ModelFiles.open(checkpoint, HADOOP, Optional.empty());
          Checkpoint after = ModelFiles.open(file, HADOOP, Optional.empty())) {
        float[] wanted = floats(before);
        float[] got = floats(after);
        double worst = 0;
        for (int i = 0; i < wanted.length; i++) {
          worst = Math.max(worst, Math.abs(wanted[i] - got[i]));
        }
        assertThat(worst).isBetween(1e-6, 0.25 / 254);
      }
    }
  }

  @Test
  void weightsThatAFormatDoesNotHaveAreRefused() {
    Said llama2c = export(folder.resolve("m.bin").toString(), "export.weights=f16");
    assertThat(llama2c.status()).isEqualTo(2);
    assertThat(llama2c.err())
        .contains("export.weights: got f16, wanted f32 (version 0) or q8_0 (version 2)");
    Said huggingFace = export(folder.resolve("m").toString(), "export.weights=q8_0");
    assertThat(huggingFace.err()).contains("export.weights: got q8_0, wanted f32 for a Hugging");
    Said unknown = export(folder.resolve("m.gguf").toString(), "export.weights=q4_0");
    assertThat(unknown.status()).isEqualTo(2);
    assertThat(unknown.err())
        .contains("export.weights: got \"q4_0\", wanted one of f32, f16, q8_0");
  }

  /** The fourth weight of the last row: the norm before the head. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "import input=%s output=%s",
        "export checkpoint=%s output=%s",
        "generate checkpoint=%s prompt=sky",
        "generate checkpoint=%s prompt=sky generate.weights=q8_0",
        "evaluate checkpoint=%s tasks=[loglikelihood] items=none output=%s",
        "evaluate checkpoint=%s tasks=[loglikelihood] items=none output=%s evaluate.weights=bf16",
        "sft checkpoint=%s input=none output=%s train.sequence-length=8",
      })
  void everyCommandRefusesWeightsThatAreNoNumbers(String command) throws IOException {
    Path file = Path.of(checkpoint, "model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    int place = bytes.length - 4 * (32 - 3);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(place, Float.NaN);
    Files.write(file, bytes);
    Said said = CommandLine.run(command.formatted(checkpoint, folder.resolve("out")).split(" "));
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err())
        .contains(
            file
                + ": tensor model.norm.weight of shape [32] holds NaN at row 0, column 3, wanted"
                + " finite numbers: its training diverged, or the file is damaged; take an earlier"
                + " checkpoint or another copy");
  }

  @Test
  void aModelWithoutVocabularyCannotBecomeGguf() {
    checkpoint = TinyModel.write(folder.resolve("bare"), TinyModel.config(), Map.of());
    Said said = export(folder.resolve("m.gguf").toString());
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err()).contains("no tokenizer.model in it", "import the model with tokenizer=");
  }

  private static boolean addsBos(String model, Optional<Boolean> asked) {
    try (LoadedModel loaded =
        LoadedModel.open(
            model, AdapterBase.NAMED, Optional.empty(), ModelContext.OWN, "cpu", 1, HADOOP)) {
      return loaded.addsBos(asked);
    }
  }

  @Test
  void whetherBosStandsBeforeAPromptSaysTheModelUnlessTheSettingsDo() throws IOException {
    Path config = Path.of(checkpoint, "tokenizer_config.json");
    Files.writeString(config, "{}");
    assertThat(addsBos(checkpoint, Optional.empty())).isTrue();
    Files.writeString(config, "{\"add_bos_token\": false}");
    assertThat(addsBos(checkpoint, Optional.empty())).isFalse();
    assertThat(addsBos(checkpoint, Optional.of(true))).isTrue();

    String gguf = folder.resolve("without.gguf").toString();
    assertThat(export(gguf).status()).isZero();
    assertThat(addsBos(gguf, Optional.empty())).isFalse();
    String back = folder.resolve("without").toString();
    assertThat(CommandLine.run("import", "input=" + gguf, "output=" + back).status()).isZero();
    assertThat(addsBos(back, Optional.empty())).isFalse();

    Files.writeString(config, "{");
    Said said = CommandLine.run("generate", "checkpoint=" + checkpoint, "prompt=sky");
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err()).contains("tokenizer_config.json is not JSON");
  }

  /** llama.cpp's keys of a gpt2 vocabulary, as SmolLM2's file has them. */
  @Test
  void aByteLevelVocabularyBecomesATokenizerJson() throws IOException {
    Map<String, Object> metadata =
        Map.of(
            "tokenizer.ggml.model",
            "gpt2",
            "tokenizer.ggml.pre",
            "smollm",
            "tokenizer.ggml.tokens",
            List.of("<|endoftext|>", "a", "b", "ab", "Ġ"),
            "tokenizer.ggml.token_type",
            List.of(3L, 1L, 1L, 1L, 1L),
            "tokenizer.ggml.merges",
            List.of("a b"),
            "tokenizer.ggml.bos_token_id",
            0L,
            "tokenizer.ggml.add_bos_token",
            false);
    Map<String, byte[]> files = new GgufVocabulary(metadata, "x.gguf").files();
    JsonNode json = new ObjectMapper().readTree(files.get("tokenizer.json"));
    assertThat(json.at("/model/vocab/ab").asInt()).isEqualTo(3);
    assertThat(json.at("/model/merges/0").asText()).isEqualTo("a b");
    assertThat(json.at("/added_tokens").size()).isEqualTo(1);
    assertThat(json.at("/added_tokens/0/content").asText()).isEqualTo("<|endoftext|>");
    assertThat(json.at("/pre_tokenizer/pretokenizers/0/individual_digits").asBoolean()).isTrue();
    JsonNode config = new ObjectMapper().readTree(files.get("tokenizer_config.json"));
    assertThat(config.get("bos_token")).hasToString("\"<|endoftext|>\"");
    assertThat(config.get("add_bos_token").isBoolean()).isTrue();
    assertThat(config.get("add_bos_token").booleanValue()).isFalse();
  }

  @Test
  void aTruncatedFileIsRefusedWithOneParagraph() throws IOException {
    Path file = folder.resolve("model.gguf");
    export(file.toString());
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    Said said = CommandLine.run("import", "input=" + file, "output=" + folder.resolve("o"));
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err()).contains("truncated; copy or download it again").doesNotContain("\tat ");
    assertThat(folder.resolve("o")).doesNotExist();
  }

  /** What the real torch saved; the same weights lie beside it as safetensors. */
  @Test
  void filesOfTorchBecomeTheCheckpointThatTheirSafetensorsDo() throws IOException {
    Path golden = Path.of(System.getProperty("caravan.root"), "model/src/test/resources/golden");
    Map<String, String> twins =
        Map.of(
            "torch/ckpt.pt", "tied",
            "torch/single", "grouped-untied",
            "torch/single/pytorch_model.bin", "grouped-untied",
            "torch/sharded", "multi-query-bfloat16");
    for (Map.Entry<String, String> twin : twins.entrySet()) {
      String output = folder.resolve("from-" + twin.getKey().replaceAll("[/.]", "-")).toString();
      Said said =
          CommandLine.run("import", "input=" + golden.resolve(twin.getKey()), "output=" + output);
      assertThat(said.status()).as(said.err()).isZero();
      try (Checkpoint after = ModelFiles.open(output, HADOOP, Optional.empty());
          Checkpoint wanted =
              ModelFiles.open(
                  golden.resolve(twin.getValue()).toString(), HADOOP, Optional.empty())) {
        assertThat(after.config()).isEqualTo(wanted.config());
        assertThat(floats(after)).isEqualTo(floats(wanted));
      }
    }
    Path legacy = golden.resolve("torch/legacy.pt");
    Said said = CommandLine.run("import", "input=" + legacy, "output=" + folder.resolve("none"));
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err()).contains("written by PyTorch before 1.6").doesNotContain("\tat ");
    assertThat(folder.resolve("none")).doesNotExist();
  }
}
