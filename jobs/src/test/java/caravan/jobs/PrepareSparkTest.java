package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.pipeline.Json;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** The road from raw text to a trained checkpoint by the commands that users type. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class PrepareSparkTest {
  private static final String CORPUS =
      Path.of(System.getProperty("caravan.root"), "airflow/tests/corpus/road.jsonl").toString();
  private static final String[] SPARK = {
    "--master", "local[2]", "spark.sql.shuffle.partitions=2", "spark.default.parallelism=2"
  };
  private static final String[] SMALL = {
    "train.steps=4",
    "train.averaging-steps=2",
    "train.batch-sequences=2",
    "train.sequence-length=32",
    "train.warmup-steps=0",
    "train.checkpoint-steps=2",
    "train.validation-steps=2",
    "model.hidden-size=32",
    "model.intermediate-size=64",
    "model.num-hidden-layers=1",
    "model.num-attention-heads=2",
    "model.num-key-value-heads=1"
  };

  @TempDir static Path work;

  private static Said run(String command, String... settings) {
    return CommandLine.run(
        Stream.of(Stream.of(command), Stream.of(SPARK), Stream.of(settings))
            .flatMap(s -> s)
            .toArray(String[]::new));
  }

  private static Said pretrain(String output, String... settings) {
    return run(
        "pretrain",
        Stream.of(
                Stream.of("tokens=" + work.resolve("tokens"), "output=" + work.resolve(output)),
                Stream.of(SMALL),
                Stream.of(settings))
            .flatMap(s -> s)
            .toArray(String[]::new));
  }

  private static JsonNode json(String file) throws IOException {
    return Json.MAPPER.readTree(work.resolve(file).toFile());
  }

  private static void isRefused(Said said, String... parts) {
    assertThat(said.err()).contains(parts).doesNotContain("\tat ");
    assertThat(said.status()).as(said.err()).isEqualTo(2);
  }

  @Test
  @Order(1)
  void prepareMakesShardsFromRawTextAndSkipsWhatIsValid() throws IOException {
    String[] settings = {
      "input=" + CORPUS,
      "output=" + work,
      "vocab-size=900",
      "id-field=id",
      "tokenize.validation-fraction=0.2"
    };
    Said first = run("prepare", settings);
    assertThat(first.status()).as(first.err()).isZero();
    assertThat(first.out())
        .contains("clean: kept ", "dedup: kept ", "train-tokenizer: 900 pieces", " tokens in ");
    String hash = json("tokens/manifest.json").get("contentHash").asText();
    Said second = run("prepare", settings);
    assertThat(second.status()).isZero();
    assertThat(second.out().lines())
        .hasSize(4)
        .allSatisfy(line -> assertThat(line).contains(": up to date: "));
    Said forced =
        run(
            "prepare",
            Stream.concat(Stream.of("--force"), Stream.of(settings)).toArray(String[]::new));
    assertThat(forced.out()).doesNotContain("up to date");
    assertThat(json("tokens/manifest.json").get("contentHash").asText()).isEqualTo(hash);
  }

  @Test
  @Order(2)
  void prepareTakesEvaluationItemsOutOfWhatItTokenizes() throws IOException {
    Path items = work.resolve("items.jsonl");
    Files.writeString(
        items, "{\"ctx\": \"A well in the desert is never the work of one person.\"}\n");
    String[] settings = {
      "input=" + CORPUS,
      "output=" + work.resolve("clear"),
      "tokenizer=" + work.resolve("tokenizer"),
      "id-field=id",
      "tokenize.validation-fraction=0.2",
      "decontaminate.items=" + items,
      "decontaminate.item-fields=ctx"
    };
    Said said = run("prepare", settings);
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .containsSubsequence("dedup: kept ", "contaminated 1", "1 of 1 items", " tokens in ");
    assertThat(json("clear/tokens/manifest.json").at("/inputs/0/path").asText())
        .endsWith("/clear/decontaminate");
    assertThat(run("explain", "en-well", "output=" + work.resolve("clear")).out())
        .containsSubsequence("dedup: kept", "decontaminate: dropped", "contaminated");
    Said second = run("prepare", settings);
    assertThat(second.out().lines())
        .hasSize(4)
        .allSatisfy(line -> assertThat(line).contains(": up to date: "));
  }

  @Test
  @Order(2)
  void inspectTellsWhatEachOutputIs() {
    assertThat(run("inspect", "input=" + work.resolve("clean")).out())
        .contains("documents, ", "language en: kept", "language zh: kept", "] road ");
    assertThat(run("inspect", "input=" + work.resolve("tokens")).out())
        .contains("uint16 ids below 900", "train/shard-00000: ", "ids, [1, ");
    assertThat(run("inspect", "input=" + work.resolve("tokenizer")).out())
        .contains("SentencePiece tokenizer: 900 pieces", "  0: <unk>");
    String kept = run("inspect", "input=" + work.resolve("dedup"), "rows=1").out();
    String id = kept.substring(kept.indexOf("\n[") + 2, kept.indexOf("] road "));
    assertThat(run("explain", id, "output=" + work).out())
        .containsSubsequence(
            "road.jsonl, record ", "clean: kept", "dedup: kept", "/shard-00000, tokens ");
    assertThat(work.resolve("clean/report.html")).content().contains("What the rules measured");
  }

  @Test
  @Order(3)
  void pretrainMakesACheckpointWithItsReportAndGoesOnWhereItStopped() throws IOException {
    Said first = pretrain("pretrain", "bigram=true");
    assertThat(first.status()).as(first.err()).isZero();
    assertThat(first.out()).contains("pretrain: 4 of 4 steps, validation loss ", " (bigram: ");
    assertThat(work.resolve("pretrain/checkpoints/step-00000004/tokenizer.model"))
        .hasSameBinaryContentAs(work.resolve("tokenizer/tokenizer.model"));
    assertThat(work.resolve("pretrain/checkpoints/step-00000004/tokenizer_config.json"))
        .hasSameBinaryContentAs(work.resolve("tokenizer/tokenizer_config.json"));
    assertThat(work.resolve("pretrain/report.html")).content().contains("bigram", "<polyline");
    assertThat(json("pretrain/bigram.json").at("/baseline/loss").asDouble()).isPositive();
    Said second = pretrain("pretrain", "bigram=true");
    assertThat(second.out()).contains("pretrain: up to date: 4 of 4 steps");
    Said longer = pretrain("pretrain", "train.steps=6");
    assertThat(longer.out())
        .contains("pretrain: going on after step 4 of 6", "pretrain: 6 of 6 steps");
    assertThat(run("inspect", "input=" + work.resolve("pretrain")).out())
        .contains("checkpoints of steps [", "step 6, round 3", "finalNorm");
  }

  @Test
  @Order(9)
  void forgetNamesEveryOutputShardAndCheckpointThatContainsADocument() throws IOException {
    String named = "";
    for (String line : Files.readAllLines(Path.of(CORPUS))) {
      String id = Json.MAPPER.readTree(line).get("id").asText();
      named = run("forget", id, "output=" + work).out();
      if (named.contains("train/shard-00000, tokens ")) {
        break;
      }
    }
    assertThat(named)
        .containsSubsequence(
            "  clean: ", ", kept, source road", "  dedup: ", "  tokens: ", "  checkpoint: ")
        .contains("/pretrain/checkpoints/step-00000004, trained on ", " sequences in random order");
    isRefused(
        run("forget", "no-such-id", "output=" + work), "no-such-id: no document of this id in ");
    isRefused(
        run("forget", "x", "output=" + work.resolve("nowhere")), "nowhere: no such directory");
  }

  @Test
  @Order(4)
  void continuedPretrainingStartsFromTheBase() throws IOException {
    Said said =
        pretrain(
            "continued",
            "checkpoint=" + work.resolve("pretrain"),
            "train.learning-rate=0",
            "train.min-learning-rate=0");
    assertThat(said.status()).as(said.err()).isZero();
    double base = lastValidation("pretrain/metrics.jsonl");
    assertThat(lastValidation("continued/metrics.jsonl")).isEqualTo(base);
  }

  private static double lastValidation(String file) throws IOException {
    List<String> lines = Files.readAllLines(work.resolve(file));
    return Json.MAPPER.readTree(lines.get(lines.size() - 1)).get("validation_loss").asDouble();
  }

  @Test
  @Order(5)
  void exportAndImportKeepTheModel() {
    String bin = work.resolve("model.bin").toString();
    assertThat(run("export", "checkpoint=" + work.resolve("pretrain"), "output=" + bin).status())
        .isZero();
    Said imported =
        run(
            "import",
            "input=" + bin,
            "output=" + work.resolve("imported"),
            "tokenizer=" + work.resolve("tokenizer"));
    assertThat(imported.status()).as(imported.err()).isZero();
    String prompt = "prompt=The caravan";
    Said before =
        run(
            "generate",
            "--json",
            "checkpoint=" + work.resolve("pretrain"),
            prompt,
            "temperature=0",
            "max-tokens=8");
    Said after =
        run(
            "generate",
            "--json",
            "checkpoint=" + work.resolve("imported"),
            prompt,
            "temperature=0",
            "max-tokens=8");
    assertThat(before.status()).as(before.err()).isZero();
    assertThat(after.out()).isEqualTo(before.out());
  }

  @Test
  @Order(6)
  void aTokenizerOfAnotherModelIsRefused() throws IOException {
    Said other =
        run(
            "train-tokenizer",
            "input=" + work.resolve("dedup"),
            "output=" + work.resolve("other"),
            "vocab-size=850");
    assertThat(other.status()).as(other.err()).isZero();
    Path heldOut =
        Files.writeString(
            work.resolve("held-out.jsonl"),
            "{\"text\": \"a held-out text\"}\n{\"text\": \"另一篇\"}\n");
    Said tokenized =
        run(
            "tokenize",
            "input=" + work.resolve("dedup"),
            "output=" + work.resolve("other-tokens"),
            "tokenizer=" + work.resolve("other"),
            "tokenize.validation-fraction=0",
            "tokenize.validation-input=" + heldOut,
            "tokenize.test-fraction=0.3");
    assertThat(tokenized.status()).as(tokenized.err()).isZero();
    assertThat(tokenized.out()).contains(" documents, 2 for validation, ", " for test, ");
    isRefused(
        run(
            "tokenize",
            "input=" + work.resolve("dedup"),
            "output=" + work.resolve("never"),
            "tokenizer=" + work.resolve("other"),
            "tokenize.mixture=[{source = wiki, epochs = 2}]"),
        "tokenize.mixture: source wiki: no training document is of it. There are road en (",
        " characters), road zh (");
    isRefused(
        run(
            "pretrain",
            "tokens=" + work.resolve("other-tokens"),
            "checkpoint=" + work.resolve("pretrain"),
            "output=" + work.resolve("never")),
        "token shards: made with tokenizer sha256");
    assertThat(work.resolve("never")).doesNotExist();
  }

  @Test
  @Order(4)
  void severalDirectoriesOfTokensAreBlendedByWeight() throws IOException {
    String both =
        "tokens=[\"%s\", \"%s\"]".formatted(work.resolve("tokens"), work.resolve("clear/tokens"));
    Said said = pretrain("blend", both, "token-weights=[3, 1]", "train.averaging-steps=4");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out()).contains("pretrain: 4 of 4 steps, validation loss ");
    String lines = Files.readString(work.resolve("blend/metrics.jsonl"));
    assertThat(lines.lines().skip(4).findFirst().orElseThrow())
        .contains("\"" + work.resolve("tokens") + "\":0.75", "clear/tokens\":0.25");
    assertThat(work.resolve("blend/report.html"))
        .content()
        .contains("share of sequences", "mixture of " + work.resolve("clear/tokens"));
    assertThat(run("forget", "en-well", "output=" + work).out())
        .contains(
            "blend/checkpoints/step-00000004, trained on file:"
                + work.resolve("tokens")
                + ", 12 of");
    isRefused(
        pretrain("blend", both, "token-weights=[1, 1]"),
        "it was trained with parts = [{data=",
        "share=0.75}");
    isRefused(
        pretrain("never", both, "token-weights=[1]"),
        "token-weights: got 1 for 2 directories of tokens, wanted one for each, or none");
    isRefused(
        pretrain("never", both, "bigram=true"), "bigram: got true with 2 directories of tokens");
    assertThat(work.resolve("never")).doesNotExist();
  }

  @Test
  @Order(6)
  void anExtendedTokenizerGrowsTheModel() throws IOException {
    Said extended =
        run(
            "extend-tokenizer",
            "input=" + work.resolve("dedup"),
            "measure-input=" + CORPUS,
            "tokenizer=" + work.resolve("tokenizer"),
            "output=" + work.resolve("extended"),
            "extend-tokenizer.vocab-size=940");
    assertThat(extended.status()).as(extended.err()).isZero();
    assertThat(extended.out()).contains("extend-tokenizer: 940 pieces, 900 of the base in ");
    assertThat(json("extended/report.json").at("/measuredOn/zh/newTokens").asInt()).isPositive();
    Said tokenized =
        run(
            "tokenize",
            "input=" + work.resolve("dedup"),
            "output=" + work.resolve("extended-tokens"),
            "tokenizer=" + work.resolve("extended"));
    assertThat(tokenized.status()).as(tokenized.err()).isZero();
    Said grown =
        pretrain(
            "grown",
            "tokens=" + work.resolve("extended-tokens"),
            "checkpoint=" + work.resolve("pretrain"));
    assertThat(grown.status()).as(grown.err()).isZero();
    assertThat(grown.out())
        .contains("pretrain: 40 rows for new token ids, from 900 to 940 (grow.rows=mean)");
    assertThat(work.resolve("grown/checkpoints/step-00000004/tokenizer.model"))
        .hasSameBinaryContentAs(work.resolve("extended/tokenizer.model"));
    assertThat(run("inspect", "input=" + work.resolve("grown")).out()).contains("940 token ids");
    isRefused(
        run(
            "extend-tokenizer",
            "input=" + work.resolve("dedup"),
            "tokenizer=" + CORPUS,
            "output=" + work.resolve("never")),
        "road.jsonl: its ",
        "no SentencePiece model");
  }

  @Test
  @Order(7)
  void aCheckpointOfAnotherShapeIsNotResumedFrom() {
    isRefused(
        pretrain("pretrain", "model.hidden-size=64"),
        "cannot resume from",
        "model",
        "resume=never");
  }

  @Test
  @Order(8)
  void aTruncatedShardIsRefused() throws IOException {
    Path shard = work.resolve("tokens/train/shard-00000.bin");
    byte[] whole = Files.readAllBytes(shard);
    Files.write(shard, java.util.Arrays.copyOf(whole, whole.length - 2));
    isRefused(pretrain("truncated"), "shard-00000.bin", "manifest says");
    assertThat(work.resolve("truncated")).doesNotExist();
    Files.write(shard, whole);
  }

  @Test
  void missingAndEmptyInputIsRefused() throws IOException {
    String output = "output=" + work.resolve("none");
    isRefused(run("clean", "input=" + work.resolve("nowhere/*.jsonl"), output), "nowhere/*.jsonl");
    Path empty = Files.writeString(work.resolve("empty.jsonl"), "");
    isRefused(run("clean", "input=" + empty, output), "empty.jsonl", "empty");
    assertThat(work.resolve("none/manifest.json")).doesNotExist();
  }

  @Test
  void brokenBytesAndAGiantLineAreKeptAsideAndCounted() throws IOException {
    Path raw = Files.createDirectories(work.resolve("raw"));
    Files.copy(Path.of(CORPUS), raw.resolve("good.jsonl"));
    Files.write(raw.resolve("broken.txt"), new byte[] {(byte) 0xC3, 0x28, 'a', 'b'});
    Files.write(
        raw.resolve("giant.txt"), "好 ".repeat(50_000_000 / 4).getBytes(StandardCharsets.UTF_8));
    Said said =
        run(
            "clean",
            "input=" + raw,
            "output=" + work.resolve("aside"),
            "read.max-broken-fraction=0.2");
    assertThat(said.status()).as(said.err()).isZero();
    JsonNode dropped = json("aside/report.json").get("droppedByReason");
    assertThat(
            dropped.at("/invalid_utf8/documents").asInt()
                + dropped.at("/not_utf8/documents").asInt())
        .isEqualTo(1);
    assertThat(dropped.at("/too_large/documents").asInt()).isEqualTo(1);
    isRefused(
        run(
            "clean",
            "input=" + raw,
            "output=" + work.resolve("refused"),
            "read.max-broken-fraction=0"),
        "records are unreadable");
    assertThat(work.resolve("refused/manifest.json")).doesNotExist();
  }
}
