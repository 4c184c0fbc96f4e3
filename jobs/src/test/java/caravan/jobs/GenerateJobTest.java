package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.jobs.chat.ChatTemplate;
import caravan.jobs.chat.Conversation;
import caravan.model.LlamaConfig;
import caravan.model.checkpoint.Llama2c;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import caravan.pipeline.tokenize.SentencePieceModel;
import caravan.pipeline.tokenize.TokenBuffer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GenerateJobTest {
  @TempDir static Path folder;

  private static String checkpoint;

  @BeforeAll
  static void writeModel() {
    checkpoint = TinyModel.write(folder.resolve("model"));
  }

  private static Said generate(String... settings) {
    String[] args = new String[settings.length + 3];
    args[0] = "generate";
    args[1] = "checkpoint=" + checkpoint;
    args[2] = "generate.threads=1";
    System.arraycopy(settings, 0, args, 3, settings.length);
    return CommandLine.run(args);
  }

  private static JsonNode json(Said run) throws IOException {
    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(run.out().lines()).hasSize(1);
    return new ObjectMapper().readTree(run.out());
  }

  @Test
  void greedyIdsAreTheModelsMostProbableOnes() throws IOException {
    JsonNode generated =
        json(generate("--json", "prompt=the sky", "max-tokens=6", "temperature=0"));
    TokenBuffer sequence = new TokenBuffer();
    sequence.add(TinyModel.TOKENIZER.bosId());
    TinyModel.TOKENIZER.encodeTo("the sky", sequence);
    int prompt = sequence.size();
    generated.get("ids").forEach(id -> sequence.add(id.asInt()));

    int[] ids = sequence.toArray();
    int[] targets = new int[ids.length];
    Arrays.fill(targets, TokenBatch.IGNORED);
    System.arraycopy(ids, prompt, targets, prompt - 1, ids.length - prompt);
    try (LoadedModel model =
        LoadedModel.open(
            checkpoint,
            AdapterBase.NAMED,
            Optional.empty(),
            ModelContext.OWN,
            "cpu",
            1,
            new Configuration())) {
      LlamaEngine engine = new CpuEngine(model.config(), 1);
      boolean[] greedy =
          engine
              .score(model.checkpoint().parameters(), new TokenBatch(ids, targets, 1, ids.length))
              .greedy();
      for (int i = prompt; i < ids.length; i++) {
        assertThat(greedy[i - 1]).isTrue();
      }
      engine.close();
    }
    assertThat(generated.get("ids").size()).isBetween(1, 6);
  }

  @Test
  void theSameSeedSamplesTheSameIdsAndAnotherSeedOthers() throws IOException {
    String[] settings = {"--json", "prompt=the", "max-tokens=20", "temperature=1.5", "seed=3"};

    JsonNode first = json(generate(settings));
    assertThat(json(generate(settings))).isEqualTo(first);
    settings[4] = "seed=4";
    assertThat(json(generate(settings))).isNotEqualTo(first);
  }

  @Test
  void aFileOfPromptsSaysOfEachWhatItSaysAlone(@TempDir Path folder) throws IOException {
    List<String> prompts = List.of("the sky", "天空", "the", "a bird");
    Path file = Files.write(folder.resolve("prompts.txt"), prompts);
    for (String weights : List.of("f32", "q8_0")) {
      List<String> alone = new ArrayList<>();
      for (int i = 0; i < prompts.size(); i++) {
        alone.add(
            generate(
                    "--json",
                    "prompt=" + prompts.get(i),
                    "max-tokens=7",
                    "seed=" + (5 + i),
                    "generate.weights=" + weights)
                .out());
      }
      Said together =
          generate(
              "--json",
              "prompts=" + file,
              "max-tokens=7",
              "seed=5",
              "generate.batch=3",
              "generate.weights=" + weights);
      assertThat(together.out()).isEqualTo(String.join("", alone));
    }
    assertThat(generate("prompts=" + file, "prompt=the").err())
        .contains("prompt and prompts: got both, wanted one of them");
    assertThat(generate("prompts=" + folder.resolve("none.txt")).err())
        .contains("none.txt: no such file, wanted one with a prompt on each line");
    assertThat(generate("prompt=the", "generate.weights=q8_0", "generate.engine=nd4j").err())
        .contains("weights: got q8_0 with the engine nd4j, wanted f32");
  }

  @Test
  void theTextIsWhatTheIdsAddToThePrompt() throws IOException {
    JsonNode generated = json(generate("--json", "prompt=the sky", "max-tokens=9", "seed=5"));
    TokenBuffer ids = new TokenBuffer();
    TinyModel.TOKENIZER.encodeTo("the sky", ids);
    generated.get("ids").forEach(id -> ids.add(id.asInt()));

    assertThat("the sky" + generated.get("text").textValue())
        .isEqualTo(TinyModel.TOKENIZER.decode(ids.toArray()));
    assertThat(generate("prompt=the sky", "max-tokens=9", "seed=5").out())
        .isEqualTo(generated.get("text").textValue() + "\n");
  }

  @Test
  void aSpaceBetweenPromptAndContinuationBelongsToTheContinuation() {
    int[] prompt = TinyModel.TOKENIZER.encode("the");
    int[] ids = TinyModel.TOKENIZER.encode("sky");

    assertThat(GenerateJob.continuation(TinyModel.TOKENIZER, prompt, ids)).isEqualTo(" sky");
  }

  @Test
  void chatPutsThePromptIntoTheTemplate() throws IOException {
    JsonNode chat =
        json(
            generate(
                "--json", "--chat", "prompt=what is the sky?", "max-tokens=4", "temperature=0"));
    JsonNode byKey =
        json(
            generate(
                "--json", "chat=true", "prompt=what is the sky?", "max-tokens=4", "temperature=0"));
    JsonNode plain =
        json(generate("--json", "prompt=what is the sky?", "max-tokens=4", "temperature=0"));

    int[] prompt =
        new ChatTemplate(TinyModel.TOKENIZER).prompt(Conversation.asking("what is the sky?"));
    assertThat(prompt.length).isGreaterThan(10);
    assertThat(chat).isEqualTo(byKey).isNotEqualTo(plain);
  }

  @Test
  void noTokensAreGeneratedWhenNoneAreAskedFor() throws IOException {
    assertThat(json(generate("--json", "prompt=the", "max-tokens=0")).toString())
        .isEqualTo("{\"ids\":[],\"text\":\"\"}");
  }

  @Test
  void aStopTextEndsTheContinuationAndIsCutOff() throws IOException {
    String[] settings = {"--json", "prompt=the sky", "max-tokens=20", "seed=5", "temperature=1.5"};
    JsonNode whole = json(generate(settings));
    String text = whole.get("text").asText();
    String stop = text.substring(text.length() / 2, text.length() / 2 + 2);
    String[] more = Arrays.copyOf(settings, settings.length + 1);
    more[settings.length] = "stop=[\"" + stop + "\", \"never said\"]";
    JsonNode stopped = json(generate(more));
    assertThat(stopped.get("text").asText()).isEqualTo(text.substring(0, text.indexOf(stop)));
    assertThat(stopped.get("ids").size()).isLessThan(whole.get("ids").size());
    Said empty = generate("prompt=the", "stop=[\"\"]");
    assertThat(empty.status()).isEqualTo(2);
    assertThat(empty.err()).contains("stop: got an empty text");
    assertThat(generate("prompt=the", "min-p=2").err())
        .contains("min-p: got 2.0, wanted 0 (all) to 1");
  }

  @Test
  void aLlama2cModelWithItsTokenizerSaysTheSame() throws IOException {
    String model = folder.resolve("model.bin").toString();
    Path tokenizer = Files.write(folder.resolve("tokenizer.bin"), llama2cTokenizer());
    try (LoadedModel loaded =
        LoadedModel.open(
            checkpoint,
            AdapterBase.NAMED,
            Optional.empty(),
            ModelContext.OWN,
            "cpu",
            1,
            new Configuration())) {
      Llama2c.write(model, new Configuration(), loaded.checkpoint(), false);
    }

    for (String prompt : List.of("the sky", "天空 🚚", "")) {
      Said llama2c =
          CommandLine.run(
              "generate",
              "--json",
              "checkpoint=" + model,
              "tokenizer=" + tokenizer,
              "prompt=" + prompt,
              "max-tokens=12",
              "temperature=0",
              "generate.threads=1");
      assertThat(json(llama2c))
          .isEqualTo(
              json(generate("--json", "prompt=" + prompt, "max-tokens=12", "temperature=0")));
    }
  }

  /** {@link TinyModel#TOKENIZER} as llama2.c's tokenizer.py writes it. */
  private static byte[] llama2cTokenizer() {
    ByteBuffer file = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN).putInt(16);
    for (SentencePieceModel.Piece piece : TinyModel.TOKENIZER.model().pieces()) {
      String text =
          piece.type() == SentencePieceModel.PieceType.CONTROL
              ? "\n" + piece.text() + "\n"
              : piece.text().replace('\u2581', ' ');
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      file.putFloat(piece.score()).putInt(bytes.length).put(bytes);
    }
    return Arrays.copyOf(file.array(), file.position());
  }

  @Test
  void mistakesAreOneParagraphAndStatusTwo() throws IOException {
    assertMistake(generate("prompt=x", "top-p=0"), "top-p: got 0.0, wanted above 0 and at most 1");
    assertMistake(
        generate("prompt= ", "chat=true"),
        "prompt: got none, wanted a question to answer; set prompt=…");
    assertMistake(
        generate("prompt=x", "tokenizer=" + folder.resolve("none.model")),
        "tokenizer "
            + folder.resolve("none.model")
            + ": no such file; wanted a tokenizer.model, as train-tokenizer makes, or a tokenizer.json");
    assertMistake(
        CommandLine.run("generate", "checkpoint=" + folder.resolve("nowhere"), "prompt=x"),
        folder.resolve("nowhere")
            + " does not exist, wanted a Hugging Face model directory, a checkpoint, or the output of pretrain or sft");
    assertMistake(
        generate("prompt=" + "the sky ".repeat(100)),
        "prompt: got 302 tokens, wanted at most the model's context of 96");
  }

  @Test
  void aTokenizerThatTheModelHasNoEmbeddingsForIsRefused() {
    var small = new LlamaConfig(32, 64, 1, 4, 4, 8, 300, 96, 10000, 1e-5, true);
    String other =
        TinyModel.write(
            folder.resolve("small"),
            small,
            Map.of("tokenizer.model", TinyModel.TOKENIZER.toBytes()));
    String bare = TinyModel.write(folder.resolve("bare"), small, Map.of());

    assertMistake(
        CommandLine.run("generate", "checkpoint=" + other, "prompt=x"),
        "%s/tokenizer.model: %d pieces, but the model %s has embeddings for 300; give the model's own tokenizer"
            .formatted(other, TinyModel.TOKENIZER.vocabSize(), other));
    assertMistake(
        CommandLine.run("generate", "checkpoint=" + bare, "prompt=x"),
        bare
            + ": none of tokenizer.model, tokenizer.json in it (tokenizer files: []); give one as tokenizer=FILE");
  }

  private static void assertMistake(Said run, String message) {
    assertThat(run.err()).isEqualTo("caravan generate: " + message + "\n");
    assertThat(run.status()).isEqualTo(2);
    assertThat(run.out()).isEmpty();
  }
}
