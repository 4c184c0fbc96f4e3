package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Json;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The ids of Python's sentencepiece 0.2.0, for every kind of model that it trains, and odd ones.
 */
class FastSentencePieceIT {
  private static final int RANDOM_MODELS = 12;

  @TempDir static Path folder;
  private static final List<String> LINES = lines();
  private static JsonNode python;

  private static List<String> lines() {
    List<String> lines = new ArrayList<>(MixedText.lines(1500, 21));
    Random random = new Random(22);
    for (int i = 0; i < 1500; i++) {
      String text = FastSentencePieceTest.text(random);
      lines.add(
          text.codePoints()
              .map(c -> c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c)
              .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
              .toString());
    }
    lines.addAll(
        List.of(
            "", " ", "   ", "\u3000", " ▁ ", "▁", "a  b   c ", "ﬁne Ⅷ ① ｶﾞ", "  天气 the the  t "));
    lines.add("天气the".repeat(5000));
    lines.add("l".repeat(20_000) + " " + "龘".repeat(100));
    return lines;
  }

  @BeforeAll
  static void encodeInPython() throws Exception {
    Files.write(folder.resolve("lines.json"), Json.bytes(LINES));
    for (int seed = 0; seed < RANDOM_MODELS; seed++) {
      SentencePieceModel model = FastSentencePieceTest.vocabulary(new Random(seed), seed % 2 == 1);
      Files.write(folder.resolve("random-" + seed + ".model"), model.toBytes());
    }
    python = Json.MAPPER.readTree(python("/encode_models.py", folder.toString()));
  }

  /** What a script of the test resources prints, in the environment of jobs/python/text.txt. */
  static String python(String script, String... arguments) throws Exception {
    Path root = Path.of(System.getProperty("caravan.root"));
    String environment =
        run(
            List.of(
                root.resolve("jobs/venv").toString(),
                root.resolve("jobs/python/text.txt").toString()));
    List<String> command = new ArrayList<>();
    command.add(Path.of(environment.strip(), "bin", "python").toString());
    command.add(Path.of(FastSentencePieceIT.class.getResource(script).toURI()).toString());
    command.addAll(List.of(arguments));
    return run(command);
  }

  private static String run(List<String> command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(String.join(" ", command)).isZero();
    return output;
  }

  @Test
  void everyModelGivesPythonsIdsOnEveryLine() throws IOException {
    assertThat(python.size()).isEqualTo(RANDOM_MODELS + 7);
    List<String> different = new ArrayList<>();
    for (var model : python.properties()) {
      Tokenizer fast = FastSentencePiece.read(folder.resolve(model.getKey()));
      for (int i = 0; i < LINES.size(); i++) {
        int[] ids = Json.MAPPER.convertValue(model.getValue().get(i), int[].class);
        int[] ours = fast.encode(LINES.get(i));
        if (!Arrays.equals(ours, ids) && different.size() < 20) {
          different.add(
              "%s, line %d, '%.60s': %.200s, wanted %.200s"
                  .formatted(
                      model.getKey(),
                      i,
                      LINES.get(i),
                      Arrays.toString(ours),
                      Arrays.toString(ids)));
        }
      }
    }
    assertThat(different).isEmpty();
  }
}
