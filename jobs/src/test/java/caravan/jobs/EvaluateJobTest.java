package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardWriter;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenType;
import caravan.pipeline.tokenize.TokenBuffer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluateJobTest {
  private static final List<String> DOCUMENTS = List.of("the sky is blue", "天空是蓝色", "the sea");
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir static Path shared;
  @TempDir Path folder;

  private static String checkpoint;
  private static String tokens;
  private String output;

  @BeforeAll
  static void writeModelAndShards() throws IOException {
    checkpoint = TinyModel.write(shared.resolve("model"));
    tokens = writeShards(shared.resolve("tokens"), TinyModel.TOKENIZER.sha256());
  }

  @BeforeEach
  void nameOutput() {
    output = folder.resolve("evaluate").toString();
  }

  private static int[] ids(String document) {
    TokenBuffer ids = new TokenBuffer();
    ids.add(1);
    TinyModel.TOKENIZER.encodeTo(document, ids);
    ids.add(2);
    return ids.toArray();
  }

  private static String writeShards(Path directory, String tokenizer) throws IOException {
    Configuration hadoop = new Configuration();
    var path = new org.apache.hadoop.fs.Path(directory.toString());
    ShardWriter.Written written;
    try (ShardWriter writer =
        new ShardWriter(
            new Storage(hadoop), path, TokenManifest.VALIDATION, 0, TokenType.UINT16, "a")) {
      for (String document : DOCUMENTS) {
        int[] ids = ids(document);
        byte[] bytes = new byte[2 * ids.length];
        for (int i = 0; i < ids.length; i++) {
          TokenType.UINT16.put(bytes, 2 * i, ids[i]);
        }
        writer.append(document, "test", bytes);
      }
      written = writer.commit();
    }
    TokenManifest shards =
        new TokenManifest(
            TokenType.UINT16,
            TinyModel.TOKENIZER.vocabSize(),
            tokenizer,
            1,
            2,
            true,
            List.of(written.shard()),
            List.of());
    Manifest.of(
            Manifest.TOKENS,
            List.of(),
            "",
            Map.of("tokens", written.shard().tokens()),
            written.files(),
            written.shard().sha256(),
            shards.toExtra())
        .write(hadoop, path);
    return directory.toString();
  }

  private Said evaluate(String... settings) {
    List<String> args =
        new ArrayList<>(List.of("evaluate", "checkpoint=" + checkpoint, "output=" + output));
    args.add("evaluate.threads=1");
    args.addAll(List.of(settings));
    return CommandLine.run(args.toArray(String[]::new));
  }

  private JsonNode read(String file) throws IOException {
    return JSON.readTree(Path.of(output, file).toFile());
  }

  private Path items(String name, String... lines) throws IOException {
    return Files.write(folder.resolve(name), List.of(lines));
  }

  /** Sum of log-probabilities of ids after the first {@code given}, one forward pass each. */
  private static double logProbability(int[] ids, int given) {
    int[] targets = new int[ids.length];
    Arrays.fill(targets, TokenBatch.IGNORED);
    System.arraycopy(ids, given, targets, given - 1, ids.length - given);
    try (LoadedModel model =
            LoadedModel.open(
                checkpoint,
                AdapterBase.NAMED,
                Optional.empty(),
                ModelContext.OWN,
                "cpu",
                1,
                new Configuration());
        LlamaEngine engine = new CpuEngine(model.config(), 1)) {
      float[] scores =
          engine
              .score(model.checkpoint().parameters(), new TokenBatch(ids, targets, 1, ids.length))
              .logProbability();
      double sum = 0;
      for (float score : scores) {
        sum += score;
      }
      return sum;
    }
  }

  @Test
  void perplexityIsTheMeanLossOfEveryHeldOutTokenAfterTheFirst() throws IOException {
    Said said = evaluate("tokens=" + tokens);
    double sum = 0;
    int count = 0;
    int bytes = 0;
    for (String document : DOCUMENTS) {
      sum -= logProbability(ids(document), 1);
      count += ids(document).length - 1;
      bytes += document.getBytes(StandardCharsets.UTF_8).length;
    }

    assertThat(said.err()).isEmpty();
    assertThat(said.status()).isZero();
    JsonNode metrics = read("eval.json").at("/tasks/perplexity");
    assertThat(metrics.get("tokens").asInt()).isEqualTo(count);
    assertThat(metrics.get("documents").asInt()).isEqualTo(3);
    assertThat(metrics.get("loss").asDouble()).isCloseTo(sum / count, within(1e-5));
    assertThat(metrics.get("perplexity").asDouble()).isCloseTo(Math.exp(sum / count), within(1e-2));
    assertThat(metrics.get("bits_per_byte").asDouble())
        .isCloseTo(sum / Math.log(2) / bytes, within(1e-4));
    assertThat(metrics.get("loss_stderr").asDouble()).isPositive();
    assertThat(metrics.get("token_accuracy").asDouble()).isBetween(0.0, 1.0);
    assertThat(Path.of(output, "eval.md")).content().isEqualTo(said.out());
    assertThat(said.out()).contains("| perplexity | loss | ");
    assertThat(Path.of(output, "gate.json")).doesNotExist();
  }

  private static org.assertj.core.data.Offset<Double> within(double offset) {
    return org.assertj.core.data.Offset.offset(offset);
  }

  @Test
  void choiceIsBuiltFromDialoguesWithChanceOneInFour() throws IOException {
    Path items =
        items(
            "dialogues.csv",
            "text",
            "<s>Human: what is the sky?</s><s>Assistant: the sky is blue</s>",
            "<s>Human: 天空是什么颜色</s><s>Assistant: 蓝色</s>",
            "<s>Human: what is the sea?</s><s>Assistant: the sea is green and blue</s>",
            "<s>Human: the grass?</s><s>Assistant: green</s>");

    assertThat(evaluate("tasks=choice", "items=" + items).err()).isEmpty();

    JsonNode metrics = read("eval.json").at("/tasks/choice");
    assertThat(metrics.get("items").asInt()).isEqualTo(4);
    assertThat(metrics.get("chance").asDouble()).isEqualTo(0.25);
    assertThat(4 * metrics.get("acc").asDouble()).isBetween(0.0, 4.0);
    assertThat(metrics.has("acc_stderr") && metrics.has("acc_norm_stderr")).isTrue();
  }

  @Test
  void loglikelihoodAnswersEveryRequestInOrder() throws IOException {
    Path items =
        items(
            "requests.jsonl",
            "{\"context\": \"the sky\", \"continuation\": \" is blue\"}",
            "{\"context\": \"\", \"continuation\": \"蓝色\"}",
            "{\"context\": \"the sky\", \"continuation\": \" is the sea and the grass is green\"}",
            "{\"context\": \"天空\", \"continuation\": \"的\"}");

    assertThat(evaluate("tasks=loglikelihood", "items=" + items).err()).isEmpty();

    List<String> lines = Files.readAllLines(Path.of(output, "loglikelihood.jsonl"));
    assertThat(lines).hasSize(4);
    int context = TinyModel.TOKENIZER.encode("the sky").length + 1;
    assertScore(lines.get(0), "the sky is blue", context);
    assertScore(lines.get(1), "蓝色", 1);
    assertScore(lines.get(2), "the sky is the sea and the grass is green", context);
    assertScore(lines.get(3), "天空的", TinyModel.TOKENIZER.encode("天空").length + 1);
  }

  private static void assertScore(String line, String text, int given) throws IOException {
    JsonNode score = JSON.readTree(line);
    int[] all = ids(text);
    int[] ids = Arrays.copyOf(all, all.length - 1);
    assertThat(score.get("tokens").asInt()).isEqualTo(ids.length - given);
    assertThat(score.get("logprob").asDouble()).isCloseTo(logProbability(ids, given), within(1e-4));
    assertThat(score.get("greedy").isBoolean()).isTrue();
    assertThat(score.size()).isEqualTo(3);
  }

  @Test
  void withoutBosTheContextBeginsWithItsOwnFirstToken() throws IOException {
    Path items = items("r.jsonl", "{\"context\": \"the sky\", \"continuation\": \" is\"}");

    evaluate("tasks=loglikelihood", "items=" + items, "add-bos=false");

    int[] ids = TinyModel.TOKENIZER.encode("the sky is");
    JsonNode score = JSON.readTree(Files.readString(Path.of(output, "loglikelihood.jsonl")));
    assertThat(score.get("logprob").asDouble())
        .isCloseTo(logProbability(ids, TinyModel.TOKENIZER.encode("the sky").length), within(1e-4));
  }

  @Test
  void aSecondRunMeasuresNothingUntilSomethingChanges() throws IOException {
    evaluate("tokens=" + tokens);
    byte[] first = Files.readAllBytes(Path.of(output, "eval.json"));

    Said again = evaluate("tokens=" + tokens);
    assertThat(again.err()).isEqualTo(output + ": valid, nothing to measure again\n");
    assertThat(Path.of(output, "eval.json")).hasBinaryContent(first);

    Said changed = evaluate("tokens=" + tokens, "evaluate.max-tokens=5");
    assertThat(changed.err()).isEmpty();
    assertThat(read("eval.json").at("/tasks/perplexity/documents").asInt()).isEqualTo(1);
  }

  @Test
  void aDamagedEvaluationIsMadeAgainAndAForeignDirectoryIsLeftAlone() throws IOException {
    evaluate("tokens=" + tokens);
    byte[] first = Files.readAllBytes(Path.of(output, "eval.json"));
    Files.writeString(Path.of(output, "eval.json"), "{}");

    assertThat(evaluate("tokens=" + tokens).status()).isZero();
    assertThat(Path.of(output, "eval.json")).hasBinaryContent(first);

    output = tokens;
    assertMistake(
        evaluate("tokens=" + tokens),
        "output "
            + tokens
            + ": holds tokens, wanted an empty directory or an evaluation; choose another output");
  }

  @Test
  void theGateDecidesAndARefusalIsStatusThreeWhenAsked() throws IOException {
    Said passed = evaluate("tokens=" + tokens, "gate.at-most.perplexity.loss=100");
    assertThat(passed.status()).isZero();
    assertThat(passed.out()).endsWith("\ngate: pass\n");
    assertThat(read("gate.json").get("decision").textValue()).isEqualTo("pass");
    assertThat(read("gate.json").get("reasons")).isEmpty();

    String baseline = output;
    output = folder.resolve("second").toString();
    String[] settings = {
      "tokens=" + tokens,
      "gate.baseline=" + baseline,
      "gate.max-regression.perplexity.loss=-1",
      "gate.exit=true"
    };
    Said refused = evaluate(settings);
    assertThat(refused.status()).isEqualTo(3);
    JsonNode gate = read("gate.json");
    assertThat(gate.get("decision").textValue()).isEqualTo("refuse");
    assertThat(gate.at("/reasons/0/metric").textValue()).isEqualTo("perplexity.loss");
    assertThat(gate.at("/reasons/0/got").asDouble())
        .isEqualTo(read("eval.json").at("/tasks/perplexity/loss").asDouble());
    assertThat(gate.at("/reasons/0/wanted").textValue()).startsWith("at most ");
    assertThat(refused.out()).contains("\ngate: refuse\n  perplexity.loss: got ");

    settings[3] = "gate.exit=false";
    assertThat(evaluate(settings).status()).isZero();
  }

  @Test
  void mistakesAreOneParagraphAndStatusTwo() throws IOException {
    Path broken = items("broken.jsonl", "{\"text\": \"<s>Human: q</s>\"}");
    Path requests = items("requests.jsonl", "", "{\"context\": 1}");

    assertMistake(
        evaluate(), "tokens: not given, the task perplexity reads token shards; set tokens=…");
    assertMistake(
        evaluate("tasks=choice"), "items: not given, the task choice reads chat data; set items=…");
    assertMistake(
        evaluate("tasks=[choice, loglikelihood]", "items=x"),
        "tasks: choice and loglikelihood read different items; run evaluate once for each");
    assertMistake(
        evaluate("tasks=hellaswag"),
        "tasks: got \"hellaswag\", wanted one of perplexity, choice, loglikelihood. What evaluate"
            + " measures: perplexity (of tokens), choice (multiple choice from the dialogues in"
            + " items), loglikelihood (of the requests in items).");
    assertMistake(
        evaluate("tasks=choice", "items=" + broken),
        "choice: broken.jsonl#1 is no dialogue (no_answer: 1 messages and no assistant's among them);"
            + " repair it or take it out of the items");
    assertMistake(
        evaluate("tasks=loglikelihood", "items=" + requests),
        "requests.jsonl:2: got [context], wanted {\"context\": text, \"continuation\": text}");
    assertMistake(
        evaluate("tokens=" + tokens, "evaluate.split=train"),
        tokens
            + ": the split train has no document, wanted held-out text; make one with tokenize, or"
            + " set evaluate.split=train");
    assertMistake(
        evaluate("tokens=" + tokens, "gate.at-least.choice.acc=1"),
        "gate.at-least.choice.acc: this evaluation has no such metric; it has perplexity.loss,"
            + " perplexity.loss_stderr, perplexity.perplexity, perplexity.token_accuracy,"
            + " perplexity.token_accuracy_stderr, perplexity.bits_per_byte, perplexity.tokens,"
            + " perplexity.documents");
  }

  @Test
  void shardsOfAnotherTokenizerAreRefused() throws IOException {
    String other = writeShards(folder.resolve("tokens"), "0".repeat(64));

    Said said = evaluate("tokens=" + other);

    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err())
        .startsWith("caravan evaluate: token shards: made with tokenizer sha256 000000000000…");
    assertThat(Path.of(output)).doesNotExist();
  }

  private static void assertMistake(Said said, String message) {
    assertThat(said.err()).isEqualTo("caravan evaluate: " + message + "\n");
    assertThat(said.status()).isEqualTo(2);
  }
}
