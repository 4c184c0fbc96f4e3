package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import caravan.jobs.CommandLine.Said;
import caravan.jobs.chat.ChatSequenceSource;
import caravan.jobs.chat.ChatTemplate;
import caravan.jobs.chat.Conversation;
import caravan.jobs.chat.Message;
import caravan.jobs.chat.Role;
import caravan.model.LlamaConfig;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.engine.CpuEngine;
import caravan.model.engine.LlamaEngine;
import caravan.model.engine.TokenBatch;
import caravan.model.sft.MaskedExample;
import caravan.model.sft.TrainedSpan;
import caravan.model.train.MetricsLog;
import caravan.model.train.SequenceSource;
import caravan.model.train.Trainer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.bytedeco.javacpp.FloatPointer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SftJobSparkTest {
  private static final Map<String, String> DIALOGUES = new LinkedHashMap<>();

  static {
    DIALOGUES.put("what is the sky?", "the sky is blue");
    DIALOGUES.put("天空是什么颜色", "蓝色");
    DIALOGUES.put("what is the sea?", "the sea is green and blue");
    DIALOGUES.put("你叫什么", "我叫 Caravan。\n你好！");
  }

  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir static Path shared;
  @TempDir Path folder;

  private static String checkpoint;
  private String output;

  @BeforeAll
  static void open() {
    TestSpark.session();
    checkpoint = TinyModel.write(shared.resolve("model"));
  }

  @BeforeEach
  void nameOutput() {
    output = folder.resolve("sft").toString();
  }

  private Path csv(Map<String, String> dialogues) throws IOException {
    StringBuilder text = new StringBuilder("text\n");
    dialogues.forEach(
        (question, answer) ->
            text.append(
                "\"<s>Human: %s\n</s><s>Assistant: %s\n</s>\"\n".formatted(question, answer)));
    return Files.writeString(folder.resolve("chat.csv"), text);
  }

  private List<String> settings(Path input, String... more) {
    List<String> settings =
        new ArrayList<>(List.of("checkpoint=" + checkpoint, "input=" + input, "output=" + output));
    settings.addAll(List.of("train.sequence-length=64", "train.batch-sequences=2"));
    settings.addAll(List.of("train.warmup-steps=0", "train.weight-decay=0", "train.steps=2"));
    settings.add("sft.validation-fraction=0");
    settings.addAll(List.of(more));
    return settings;
  }

  private Trainer.Outcome sft(Path input, String... more) {
    SftConfig config = ConfigLoader.of(List.of(), settings(input, more)).read(SftConfig.class);
    return SftJob.run(TestSpark.session(), config, false, () -> false);
  }

  private JsonNode manifest() throws IOException {
    return JSON.readTree(Path.of(output, "sequences/manifest.json").toFile());
  }

  private SequenceSource sequences(String split) {
    return ChatSequenceSource.open(new Configuration(), output + "/sequences", split, false);
  }

  private static TokenBatch batch(SequenceSource source, long index) {
    int[] ids = new int[source.sequenceLength()];
    int[] targets = new int[ids.length];
    source.read(index, ids, targets, 0);
    return TokenBatch.ofMarked(ids, targets, 1, ids.length);
  }

  @Test
  void aModelFittedToFourDialoguesAnswersThemAndStops() throws IOException {
    sft(csv(DIALOGUES), "train.steps=200", "train.learning-rate=5e-3");

    for (Map.Entry<String, String> dialogue : DIALOGUES.entrySet()) {
      Said said =
          CommandLine.run(
              "generate",
              "--chat",
              "--json",
              "checkpoint=" + output,
              "prompt=" + dialogue.getKey(),
              "temperature=0",
              "max-tokens=60",
              "generate.threads=1");
      assertThat(said.status()).as(said.err()).isZero();
      JsonNode answer = JSON.readTree(said.out());
      assertThat(answer.get("text").textValue()).isEqualTo(dialogue.getValue());
      assertThat(answer.get("ids").get(answer.get("ids").size() - 1).asInt())
          .isEqualTo(TinyModel.TOKENIZER.eosId());
    }
  }

  @Test
  void theLossIsThatOfAnswersAndTheirEosAlone() throws IOException {
    sft(csv(Map.of("what is the sky?", "the sky is blue")));
    TokenBatch stored = batch(sequences("train"), 0);
    MaskedExample example =
        new ChatTemplate(TinyModel.TOKENIZER)
            .encode(
                new Conversation(
                    "test",
                    List.of(
                        new Message(Role.USER, "what is the sky?"),
                        new Message(Role.ASSISTANT, "the sky is blue"))));
    TrainedSpan answer = example.trained().get(0);
    int[] everything = new int[stored.seq()];
    Arrays.fill(everything, TokenBatch.IGNORED);
    System.arraycopy(example.ids(), 1, everything, 0, example.ids().length - 1);

    assertThat(Arrays.copyOf(stored.ids(), example.ids().length - 1))
        .containsExactly(Arrays.copyOf(example.ids(), example.ids().length - 1));
    assertThat(stored.targetCount()).isEqualTo(answer.end() - answer.start());
    assertThat(stored.targets()[answer.end() - 2]).isEqualTo(TinyModel.TOKENIZER.eosId());
    try (LoadedModel model =
            LoadedModel.open(
                checkpoint,
                AdapterBase.NAMED,
                Optional.empty(),
                ModelContext.OWN,
                "cpu",
                1,
                new Configuration());
        LlamaEngine engine = new CpuEngine(model.config(), 1);
        FloatPointer gradient = new FloatPointer(model.checkpoint().parameters().limit())) {
      FloatPointer parameters = model.checkpoint().parameters();
      float[] scores =
          engine
              .score(parameters, new TokenBatch(stored.ids(), everything, 1, stored.seq()))
              .logProbability();
      double sum = 0;
      for (int i = answer.start(); i < answer.end(); i++) {
        sum -= scores[i - 1];
      }
      double loss = engine.lossAndGradient(parameters, gradient, stored);
      assertThat(loss).isCloseTo(sum / (answer.end() - answer.start()), within(1e-4));
    }
  }

  @Test
  void conversationsOfAValidationFileAreMeasuredAndNeverTrainedOn() throws IOException {
    Path heldOut =
        Files.writeString(
            folder.resolve("held.csv"),
            "text\n\"<s>Human: what is the sky?\n</s><s>Assistant: the sky is blue\n</s>\"\n");
    String validation = "validation=" + heldOut;
    sft(csv(DIALOGUES), validation, "sft.max-dropped-fraction=0.3", "sft.validation-fraction=0.9");
    JsonNode counts = manifest().get("counts");
    assertThat(counts.get("trainConversations").asInt()).isEqualTo(3);
    assertThat(counts.get("validationConversations").asInt()).isEqualTo(1);
    assertThat(counts.get("dropped.held_out").asInt()).isEqualTo(1);
    assertThat(Path.of(output, "metrics.jsonl")).content().contains("validation_loss");
    String hash = manifest().get("contentHash").asText();
    output = folder.resolve("refused").toString();
    assertThatThrownBy(() -> sft(csv(DIALOGUES), validation))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 of 5 records cannot be used (held_out 1; such as ")
        .hasMessageContaining("is in validation too, wanted in one of the two");
    output = folder.resolve("other").toString();
    sft(csv(DIALOGUES));
    assertThat(manifest().get("contentHash").asText()).isNotEqualTo(hash);
  }

  /** The trainer's first loss is that of a row whose dialogues were isolated, and of no other. */
  @Test
  void packedDialoguesSeeNothingOfEachOther() throws IOException {
    sft(
        csv(DIALOGUES),
        "sft.rows=packed",
        "train.packing=isolated",
        "train.precision=fp32",
        "train.batch-sequences=1",
        "train.workers=1",
        "train.steps=1");
    Configuration hadoop = new Configuration();
    double loss =
        MetricsLog.read(output, hadoop).stream()
            .filter(metrics -> metrics.loss() != null)
            .findFirst()
            .orElseThrow()
            .loss();
    SequenceSource marked = ChatSequenceSource.open(hadoop, output + "/sequences", "train", true);
    try (Checkpoint model = ModelFiles.open(checkpoint, hadoop, Optional.empty());
        LlamaEngine engine = new CpuEngine(model.config(), 1);
        FloatPointer gradient = new FloatPointer(model.parameters().limit())) {
      List<Double> isolated = new ArrayList<>();
      for (long row = 0; row < marked.size(); row++) {
        TokenBatch crossing = batch(sequences("train"), row);
        TokenBatch stored = batch(marked, row);
        assertThat(stored.ids()).isEqualTo(crossing.ids());
        assertThat(stored.targets()).isEqualTo(crossing.targets());
        assertThat(crossing.isPacked()).isFalse();
        isolated.add(engine.lossAndGradient(model.parameters(), gradient, stored));
        if (stored.isPacked()) {
          assertThat(engine.lossAndGradient(model.parameters(), gradient, crossing))
              .isNotCloseTo(loss, within(1e-4));
        }
      }
      assertThat(isolated).anySatisfy(one -> assertThat(one).isCloseTo(loss, within(1e-5)));
      assertThat(batch(marked, 0).isPacked()).isTrue();
    }
  }

  @Test
  void recordsThatCannotBeUsedAreKeptAsideWithTheReason() throws IOException {
    Path input = folder.resolve("chat.jsonl");
    String tooLong = "the sky ".repeat(60).strip();
    Files.write(
        input,
        List.of(
            "{\"instruction\": \"hello\", \"output\": \"hello\"}",
            "{\"instruction\": \"hello\"",
            "{\"id\": \"long\", \"instruction\": \"" + tooLong + "\", \"output\": \"a\"}",
            "{\"id\": \"cut\", \"instruction\": \"a\", \"output\": \"" + tooLong + "\"}"));

    sft(input, "sft.max-dropped-fraction=0.5");

    JsonNode manifest = manifest();
    assertThat(manifest.at("/counts/records").asInt()).isEqualTo(4);
    assertThat(manifest.at("/counts/trainConversations").asInt()).isEqualTo(2);
    assertThat(manifest.at("/counts/dropped").asInt()).isEqualTo(2);
    assertThat(manifest.at("/counts/truncated").asInt()).isEqualTo(1);
    assertThat(manifest.get("counts").get("dropped.bad_json").asInt()).isEqualTo(1);
    assertThat(manifest.get("counts").get("dropped.answer_out_of_reach").asInt()).isEqualTo(1);
    List<String> dropped =
        Files.readAllLines(Path.of(output, "sequences/dropped/part-00000.jsonl"));
    assertThat(dropped).hasSize(2);
    assertThat(JSON.readTree(dropped.get(0)).get("raw").textValue())
        .isEqualTo("{\"instruction\": \"hello\"");
    assertThat(JSON.readTree(dropped.get(1)).get("id").textValue()).isEqualTo("long");

    assertThat(
            TestSpark.session()
                .read()
                .parquet(output + "/sequences/provenance")
                .select("id")
                .collectAsList())
        .extracting(row -> row.getString(0))
        .containsExactlyInAnyOrder("chat.jsonl#1", "cut");

    output = folder.resolve("shorter").toString();
    sft(input, "sft.max-dropped-fraction=0.75", "sft.too-long=drop");
    assertThat(manifest().get("counts").get("dropped.too_long").asInt()).isEqualTo(2);
    assertThat(manifest().at("/counts/truncated").asInt()).isZero();
  }

  @Test
  void aSecondRunOfTheCommandWritesAndTrainsNothing() throws IOException {
    List<String> line = new ArrayList<>(List.of("sft", "--master", "local[2]"));
    line.addAll(settings(csv(DIALOGUES)));
    String[] command = line.toArray(String[]::new);
    Said first = CommandLine.run(command);
    Path shard = Path.of(output, "sequences/train/shard-00000.bin");
    Path weights = Path.of(output, "checkpoints/step-00000002/model.safetensors");
    var written = List.of(Files.getLastModifiedTime(shard), Files.getLastModifiedTime(weights));
    Said second = CommandLine.run(command);

    assertThat(first.status()).as(first.err()).isZero();
    assertThat(first.out())
        .startsWith("sft: 4 records, 0 dropped, 4 training sequences, 0 held-out sequences, ")
        .endsWith("sft: 2 of 2 steps in " + weights.getParent() + "\n");
    assertThat(second.status()).as(second.err()).isZero();
    assertThat(second.out())
        .startsWith("sft: up to date: 4 records, ")
        .endsWith("sft: up to date: 2 of 2 steps in " + weights.getParent() + "\n");
    assertThat(List.of(Files.getLastModifiedTime(shard), Files.getLastModifiedTime(weights)))
        .isEqualTo(written);
  }

  @Test
  void theSplitIsByContentAndEveryConversationIsOnOneSide() throws IOException {
    Map<String, String> many = new TreeMap<>();
    for (int i = 0; i < 200; i++) {
      many.put("question " + i, "answer " + i);
    }

    Trainer.Outcome outcome = sft(csv(many), "sft.validation-fraction=0.3");

    SequenceSource train = sequences("train");
    SequenceSource validation = sequences("validation");
    assertThat(validation.size()).isBetween(40L, 80L);
    assertThat(train.size() + validation.size()).isEqualTo(200);
    assertThat(outcome.validationLoss()).isPositive();
  }

  @Test
  void packedConversationsShareSequences() throws IOException {
    sft(csv(DIALOGUES), "sft.rows=packed", "train.sequence-length=96");

    assertThat(sequences("train").size()).isLessThan(4);
  }

  @Test
  void inputAndSettingsThatCannotBeUsedAreRefused() throws IOException {
    Path yaml = Files.writeString(folder.resolve("chat.yml"), "conversations:\n");
    Path bad = Files.writeString(folder.resolve("bad.jsonl"), "{}\n{\"text\": \"hello\"}\n");

    assertRefused(
        () -> sft(yaml),
        "input file:"
            + yaml
            + ": wanted chat data in .csv, .json or .jsonl; convert it, or take it out of input");
    assertRefused(
        () -> sft(bad),
        ("input %s: 2 of 2 records cannot be used (not_turns 1, unknown_layout 1; such as"
                + " bad.jsonl#1: unknown_layout (got the keys [], wanted conversations, messages,"
                + " instruction or text); bad.jsonl#2: not_turns (at character 0: got `hello`, wanted"
                + " `<s>Human: …</s>` or `<s>Assistant: …</s>`)), wanted at most"
                + " sft.max-dropped-fraction = 0.1; all of them are in %s/sequences/dropped")
            .formatted(bad, output));
    assertRefused(
        () -> sft(csv(DIALOGUES), "train.sequence-length=97"),
        "train.sequence-length: got 97, wanted at most the context of "
            + checkpoint
            + ", 96 tokens");
    assertRefused(
        () -> sft(csv(DIALOGUES), "sft.validation-fraction=1"),
        "sft.validation-fraction: got 1.0, wanted a number in [0, 1)");
    assertThat(Path.of(output, "sequences/manifest.json")).doesNotExist();
  }

  @Test
  void aTokenizerThatTheModelHasNoEmbeddingsForIsRefused() throws IOException {
    var small = new LlamaConfig(32, 64, 1, 4, 4, 8, 300, 96, 10000, 1e-5, true);
    String other =
        TinyModel.write(
            folder.resolve("small"),
            small,
            Map.of("tokenizer.model", TinyModel.TOKENIZER.toBytes()));

    assertRefused(
        () -> sft(csv(DIALOGUES), "checkpoint=" + other),
        "%s/tokenizer.model: %d pieces, but the model %s has embeddings for 300; give the model's own tokenizer"
            .formatted(other, TinyModel.TOKENIZER.vocabSize(), other));
  }

  private static void assertRefused(ThrowingCallable run, String message) {
    assertThatThrownBy(run).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }
}
