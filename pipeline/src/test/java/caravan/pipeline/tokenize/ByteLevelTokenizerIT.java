package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Json;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hugging Face's tokenizers and tiktoken give the ids that are given here. */
class ByteLevelTokenizerIT {
  /** What tells pre-tokenizers apart. */
  private static final String[] PARTS = {
    "'s",
    "'S",
    "'ſ",
    "'re",
    "'LL",
    "’s",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\u00a0",
    "\u3000",
    "\u0085",
    "1",
    "12",
    "12345",
    "³",
    "①",
    "٣",
    "〇",
    "Ⅷ",
    "a",
    "Ωmega",
    "naïve",
    "e\u0301",
    "é",
    "你好",
    "勇气和",
    "café 1",
    "𠮷",
    "😀",
    "👨‍👩‍👧",
    "!",
    "?!",
    "——",
    "…",
    "<|im_end|>",
    "<|im_start",
    "\u200b",
    "\u0300",
    "\u180e",
    "\u2028",
    "\ufeff",
    "\0",
    "ก็",
    "한글",
    "\uD83E\uDEE8",
    "\u0870",
    "\uD87E\uDC00",
    "\uD85E\uDFF0",
    "_"
  };

  private static final List<String> LINES = lines();

  @TempDir static Path folder;

  private static List<String> lines() {
    List<String> lines = new ArrayList<>(MixedText.lines(500, 11));
    Random random = new Random(12);
    for (int i = 0; i < 3000; i++) {
      StringBuilder line = new StringBuilder();
      for (int n = random.nextInt(9); n >= 0; n--) line.append(PARTS[random.nextInt(PARTS.length)]);
      lines.add(line.toString());
    }
    // Any code point at all, between a letter, a number and a mark.
    for (int i = 0; i < 3000; i++) {
      int any = random.nextInt(i % 2 == 0 ? 0x32400 : 0x3400);
      if (Character.getType(any) == Character.SURROGATE) continue;
      String c = Character.toString(any);
      lines.add("a" + c + "1" + c + " " + c + c + "!" + c);
    }
    lines.add("的".repeat(5000) + " ".repeat(300) + "x" + "=".repeat(3000));
    return lines;
  }

  @BeforeAll
  static void trainAndEncodeInPython() throws Exception {
    Files.write(folder.resolve("lines.json"), Json.bytes(LINES));
    Path root = Path.of(System.getProperty("caravan.root"));
    String environment =
        run(
            root.resolve("jobs/venv").toString(),
            root.resolve("jobs/python/tokenizers.txt").toString());
    run(
        Path.of(environment.strip(), "bin", "python").toString(),
        Path.of(ByteLevelTokenizerIT.class.getResource("/byte_level_golden.py").toURI()).toString(),
        folder.resolve("lines.json").toString(),
        folder.toString());
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(String.join(" ", command)).isZero();
    return output;
  }

  private static ByteLevelTokenizer tokenizer(String style) throws IOException {
    Path file = folder.resolve(style).resolve("tokenizer.json");
    return TokenizerJson.read(
        Files.readAllBytes(file),
        Optional.of(Files.readAllBytes(file.resolveSibling("tokenizer_config.json"))),
        file.toString());
  }

  private static JsonNode golden(String style) throws IOException {
    return Json.MAPPER.readTree(folder.resolve(style).resolve("golden.json").toFile());
  }

  private static void hasIds(Tokenizer tokenizer, JsonNode wanted) {
    for (int i = 0; i < LINES.size(); i++) {
      int[] ids = Json.MAPPER.convertValue(wanted.get(i), int[].class);
      assertThat(tokenizer.encode(LINES.get(i))).as(LINES.get(i)).isEqualTo(ids);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama3", "qwen2", "smollm"})
  void everyLineHasHuggingFacesIds(String style) throws IOException {
    ByteLevelTokenizer tokenizer = tokenizer(style);
    JsonNode golden = golden(style);
    assertThat(tokenizer.vocabSize()).isEqualTo(golden.get("size").asInt());
    assertThat(tokenizer.piece(tokenizer.bosId())).isEqualTo("<|im_start|>");
    assertThat(tokenizer.piece(tokenizer.eosId())).isEqualTo("<|im_end|>");
    hasIds(tokenizer, golden.get("ids"));
    hasIds(tokenizer.withoutSpecialTokens(), golden.get("plain"));
    assertThat(golden.get("ids")).isNotEqualTo(golden.get("plain"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama3", "qwen2", "smollm"})
  void anyRunOfIdsHasHuggingFacesText(String style) throws IOException {
    ByteLevelTokenizer tokenizer = tokenizer(style);
    JsonNode golden = golden(style);
    for (int i = 0; i < golden.get("runs").size(); i++) {
      int[] run = Json.MAPPER.convertValue(golden.get("runs").get(i), int[].class);
      assertThat(tokenizer.decode(run)).isEqualTo(golden.get("decoded").get(i).asText());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama3", "smollm"})
  void plainTextIsDecodedToItself(String style) throws IOException {
    ByteLevelTokenizer tokenizer = tokenizer(style).withoutSpecialTokens();
    for (String line : LINES) assertThat(tokenizer.decode(tokenizer.encode(line))).isEqualTo(line);
  }

  @Test
  void llama3sOwnFileGivesTiktokensIds() throws IOException {
    Path file = folder.resolve("tiktoken/tokenizer.model");
    byte[] bytes = Files.readAllBytes(file);
    assertThat(Tiktoken.isTiktoken(bytes)).isTrue();
    ByteLevelTokenizer tokenizer = Tiktoken.read(bytes, "tokenizer.model", file.toString());
    JsonNode golden = golden("tiktoken");
    assertThat(tokenizer.vocabSize()).isEqualTo(golden.get("size").asInt());
    assertThat(tokenizer.piece(tokenizer.bosId())).isEqualTo("<|begin_of_text|>");
    assertThat(tokenizer.piece(tokenizer.bosId() + 9)).isEqualTo("<|eot_id|>");
    hasIds(tokenizer, golden.get("ids"));
    hasIds(tokenizer.withoutSpecialTokens(), golden.get("plain"));
  }

  @Test
  void aTaskCanCarryIt() throws Exception {
    ByteLevelTokenizer tokenizer = tokenizer("smollm").withoutSpecialTokens();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(tokenizer);
    }
    Object back = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray())).readObject();
    String line = "In 2024 <|im_end|> 今天";
    assertThat(((Tokenizer) back).encode(line)).isEqualTo(tokenizer.encode(line));
    assertThat(((Tokenizer) back).sha256()).isEqualTo(tokenizer.sha256());
  }
}
