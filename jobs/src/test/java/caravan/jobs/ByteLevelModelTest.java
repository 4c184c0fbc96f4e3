package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.model.LlamaConfig;
import caravan.pipeline.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint that brings a tokenizer.json and no tokenizer.model. */
class ByteLevelModelTest {
  private static final byte[] CONFIG =
      "{\"bos_token\": \"<s>\", \"eos_token\": \"<s>\"}".getBytes(StandardCharsets.UTF_8);

  @TempDir Path folder;

  private static byte[] tokenizerJson() {
    Map<String, Integer> vocab = new LinkedHashMap<>();
    int next = 256;
    for (int value = 0; value < 256; value++) {
      boolean printable = value >= '!' && value <= '~' || value >= 0xA1 && value != 0xAD;
      vocab.put(Character.toString(printable ? value : next++), value);
    }
    vocab.put("th", 256);
    Map<String, Object> byteLevel = Map.of("type", "ByteLevel", "add_prefix_space", false);
    return Json.bytes(
        Map.of(
            "added_tokens",
            List.of(Map.of("id", 257, "content", "<s>", "special", true)),
            "pre_tokenizer",
            byteLevel,
            "decoder",
            byteLevel,
            "model",
            Map.of("type", "BPE", "vocab", vocab, "merges", List.of("t h"))));
  }

  private String model(Map<String, byte[]> tokenizerFiles) {
    LlamaConfig config = new LlamaConfig(32, 64, 2, 4, 2, 8, 258, 96, 10000, 1e-5, true);
    return TinyModel.write(folder.resolve("model"), config, tokenizerFiles);
  }

  @Test
  void generatesByItsOwnTokenizer() throws IOException {
    String model =
        model(Map.of("tokenizer.json", tokenizerJson(), "tokenizer_config.json", CONFIG));
    Said said =
        CommandLine.run(
            "generate",
            "--json",
            "checkpoint=" + model,
            "prompt=the 你",
            "max-tokens=6",
            "temperature=0");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(Json.MAPPER.readTree(said.out()).get("ids")).isNotEmpty();
  }

  @Test
  void takesOneThatIsGiven() throws IOException {
    String model = model(Map.of());
    Path file = Files.write(folder.resolve("tokenizer.json"), tokenizerJson());
    Files.write(folder.resolve("tokenizer_config.json"), CONFIG);
    Said imported =
        CommandLine.run(
            "import", "input=" + model, "output=" + folder.resolve("out"), "tokenizer=" + file);
    assertThat(imported.status()).as(imported.err()).isZero();
    assertThat(folder.resolve("out/tokenizer.json")).hasBinaryContent(tokenizerJson());
    assertThat(folder.resolve("out/tokenizer_config.json")).hasBinaryContent(CONFIG);
    Said inspected = CommandLine.run("inspect", "input=" + file);
    assertThat(inspected.out()).contains("Byte-level BPE tokenizer: 258 pieces, BOS 257, EOS 257");
  }

  @Test
  void aModelWithoutAnyTokenizerIsRefused() {
    Said said = CommandLine.run("generate", "checkpoint=" + model(Map.of()), "prompt=a");
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err())
        .contains("none of tokenizer.model, tokenizer.json in it", "give one as tokenizer=FILE");
  }
}
