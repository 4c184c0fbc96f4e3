package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.model.LlamaConfig;
import caravan.model.checkpoint.SafeTensors;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import caravan.pipeline.Json;
import caravan.pipeline.tokenize.TokenBuffer;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.apache.hadoop.conf.Configuration;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Real weights: SmolLM2-135M-Instruct in GGUF's Q4_1 (30 layers, width 576, 9 heads on 3 of keys,
 * tied, byte-level BPE), beside what transformers computes of the same file.
 */
class SmolLm2IT {
  private static final Path ROOT = Path.of(System.getProperty("caravan.root"));

  private static final List<String> TEXTS =
      List.of(
          "北京是中国的首都，上海是中国最大的城市。春天来了，山上的花都开了，",
          "The capital of France is Paris. Water boils at a temperature of",
          "def fibonacci(n):\n    if n < 2:\n        return n\n    return");

  /** Of logits between about -20 and 30. */
  private static final float CLOSE = 2e-3f;

  @TempDir private static Path folder;

  private static LoadedModel model;
  private static JsonNode golden;

  @BeforeAll
  static void askTransformersAndImport() throws Exception {
    Path texts = Files.write(folder.resolve("texts.json"), Json.bytes(TEXTS));
    String environment =
        run(ROOT.resolve("jobs/venv"), ROOT.resolve("model/src/test/python/requirements.txt"));
    run(
        Path.of(environment.strip(), "bin/python"),
        ROOT.resolve("jobs/src/test/python/smollm2.py"),
        cache(),
        texts,
        folder);
    golden = Json.MAPPER.readTree(folder.resolve("golden.json").toFile());
    Said said =
        CommandLine.run("import", "input=" + folder.resolve("model.gguf"), "output=" + imported());
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .startsWith("import: 134,515,008 parameters (30 layers, width 576, 49,152 token ids)");
    model =
        LoadedModel.open(
            imported(),
            AdapterBase.NAMED,
            Optional.empty(),
            ModelContext.OWN,
            "cpu",
            2,
            new Configuration());
  }

  @AfterAll
  static void close() {
    if (model != null) {
      model.close();
    }
  }

  private static String imported() {
    return folder.resolve("imported").toString();
  }

  /** Where jobs/venv keeps its environments, too. */
  private static Path cache() {
    return Optional.ofNullable(System.getenv("CARAVAN_CACHE"))
        .map(Path::of)
        .orElse(Path.of(System.getProperty("user.home"), ".cache/caravan"));
  }

  private static String run(Object... command) throws IOException, InterruptedException {
    List<String> words = Arrays.stream(command).map(Object::toString).toList();
    Process process =
        new ProcessBuilder(words).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(String.join(" ", words)).isZero();
    return output;
  }

  private static int[] ints(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
  }

  /** Prompt and continuation. */
  private static int[] ids(int text) {
    JsonNode case_ = golden.get(text);
    return IntStream.concat(
            Arrays.stream(ints(case_.get("ids"))), Arrays.stream(ints(case_.get("added"))))
        .toArray();
  }

  /** [ids × vocabulary] by transformers. */
  private static float[] logits(int text) {
    String file = folder.resolve("golden.safetensors").toString();
    try (SafeTensors tensors = SafeTensors.open(file, new Configuration())) {
      SafeTensors.Entry entry = tensors.entries().get(String.valueOf(text));
      float[] values = new float[(int) entry.length()];
      try (FloatPointer floats = new FloatPointer(entry.length())) {
        tensors.read(entry, floats, 0);
        floats.get(values);
      }
      return values;
    }
  }

  @Test
  void theShapeIsTheOneThatTheFileTells() {
    assertThat(model.config())
        .isEqualTo(new LlamaConfig(576, 1536, 30, 9, 3, 64, 49152, 8192, 100_000, 1e-5, true));
  }

  @Test
  void textsBecomeTheSameIds() {
    for (int text = 0; text < TEXTS.size(); text++) {
      TokenBuffer ids = new TokenBuffer();
      model.tokenizer().encodeTo(TEXTS.get(text), ids);
      assertThat(ids.toArray()).as(TEXTS.get(text)).isEqualTo(ints(golden.get(text).get("ids")));
    }
  }

  @Test
  void decodedLogitsOfAPromptAndOfEveryTokenAfterItEqualTransformers() {
    for (int text = 0; text < TEXTS.size(); text++) {
      int[] ids = ids(text);
      float[] wanted = logits(text);
      int prompt = golden.get(text).get("ids").size();
      FloatPointer parameters = model.checkpoint().parameters();
      try (LlamaEngine.Decoder decoder = model.engine().decoder(parameters, ids.length)) {
        float[] got = decoder.append(Arrays.copyOf(ids, prompt));
        for (int p = prompt - 1; p < ids.length; p++) {
          got = p < prompt ? got : decoder.append(ids[p]);
          assertThat(farthest(got, wanted, p)).as("text %d, id %d", text, p).isLessThan(CLOSE);
        }
      }
    }
  }

  private static float farthest(float[] got, float[] wanted, int row) {
    float farthest = 0;
    for (int i = 0; i < got.length; i++) {
      farthest = Math.max(farthest, Math.abs(got[i] - wanted[row * got.length + i]));
    }
    return farthest;
  }

  @Test
  void scoresOfEveryTokenEqualTransformers() {
    for (int text = 0; text < TEXTS.size(); text++) {
      int[] ids = ids(text);
      int[] targets = Arrays.copyOfRange(ids, 1, ids.length + 1);
      targets[ids.length - 1] = TokenBatch.IGNORED;
      float[] logits = logits(text);
      LlamaEngine.TokenScores scores =
          model
              .engine()
              .score(model.checkpoint().parameters(), new TokenBatch(ids, targets, 1, ids.length));
      int prompt = golden.get(text).get("ids").size();
      for (int p = 0; p < ids.length - 1; p++) {
        assertThat(Math.abs(scores.logProbability()[p] - logProbability(logits, p, targets[p])))
            .as("text %d, id %d", text, p)
            .isLessThan(CLOSE);
        assertThat(scores.greedy()[p] || p < prompt - 1).isTrue();
      }
    }
  }

  private static double logProbability(float[] logits, int row, int id) {
    int vocabulary = model.config().vocabSize();
    double sum = 0;
    for (int i = 0; i < vocabulary; i++) {
      sum += Math.exp(logits[row * vocabulary + i]);
    }
    return logits[row * vocabulary + id] - Math.log(sum);
  }

  @Test
  void theGreedyTextOfTheImportedModelIsTransformers() {
    for (int text = 0; text < TEXTS.size(); text++) {
      assertThat(continuation(imported(), text)).isEqualTo(golden.get(text).get("text").asText());
    }
  }

  @Test
  void theGreedyTextOfTheGgufFileItselfIsTransformers() {
    assertThat(continuation(folder.resolve("model.gguf").toString(), 0))
        .isEqualTo(golden.get(0).get("text").asText());
  }

  private static String continuation(String checkpoint, int text) {
    Said said =
        CommandLine.run(
            "generate",
            "checkpoint=" + checkpoint,
            "prompt=" + TEXTS.get(text),
            "temperature=0",
            "max-tokens=" + golden.get(text).get("added").size());
    assertThat(said.status()).as(said.err()).isZero();
    return said.out().substring(0, said.out().length() - 1);
  }
}
