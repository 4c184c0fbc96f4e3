package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.jobs.chat.TinyTokenizer;
import caravan.pipeline.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Texts that are looked for in token shards. */
class TraceSparkTest {
  private static final String[] SPARK = {
    "--master", "local[2]", "spark.sql.shuffle.partitions=2", "spark.default.parallelism=2"
  };

  @TempDir static Path work;

  private static Said run(String... words) {
    return CommandLine.run(
        Stream.concat(Stream.of(words), Stream.of(SPARK)).toArray(String[]::new));
  }

  private static Said trace(String... words) {
    return run(
        Stream.concat(Stream.of("trace", "tokens=" + work.resolve("tokens")), Stream.of(words))
            .toArray(String[]::new));
  }

  private static String line(String id, String text) {
    return Json.compact(Map.of("id", id, "text", text));
  }

  @BeforeAll
  static void tokenize() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      lines.add(line("doc-" + i, "number " + i + " has the sea and the grass " + i * 7919 + "。"));
    }
    lines.add(line("spring", "春天来了，山上的花都开了，河里的冰也化了。the river is free again"));
    lines.add(line("autumn", "秋天来了，山上的花都谢了，天空是蓝色。the river is low"));
    lines.add(line("autumn-again", "秋天来了，山上的花都谢了，天空是蓝色。the river is low"));
    Files.write(work.resolve("corpus.jsonl"), lines);
    Files.write(work.resolve("tokenizer.model"), TinyTokenizer.create().toBytes());
    Said said =
        run(
            "tokenize",
            "input=" + work.resolve("corpus.jsonl"),
            "output=" + work.resolve("tokens"),
            "tokenizer=" + work.resolve("tokenizer.model"),
            "id-field=id",
            "tokenize.validation-fraction=0",
            "tokenize.shard-tokens=600",
            "format=megatron",
            "encoder=fast");
    assertThat(said.status()).as(said.err()).isZero();
  }

  @Test
  void aChineseTextIsFoundInTheDocumentsThatShareTheMostOfIt() {
    Said said = trace("他们说：山上的花都开了，河里的冰也化了。", "trace.documents=2");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .contains("document spring, source corpus")
        .contains("【山上的花都开了，河里的冰也化了。】the river")
        .containsPattern("document autumn(-again)?, source corpus \\(and 1 of the same text\\)")
        .contains("【山上的花都】");
    assertThat(said.out().indexOf("spring")).isLessThan(said.out().indexOf("document autumn"));
    assertThat(said.out()).doesNotContain("3. ");
  }

  @Test
  void anEnglishTextAndItsIdsGiveTheSame() {
    String text = "so the river is free";
    Said byText = trace("text=" + text, "trace.documents=1");
    assertThat(byText.out()).contains("document spring").contains("the【 river is free】 again");
    String ids = Json.compact(TinyTokenizer.create().encode(text));
    assertThat(trace("ids=" + ids, "trace.documents=1").out()).isEqualTo(byText.out());
  }

  @Test
  void aTextThatIsNowhereIsSaidToBeNowhere() {
    Said said = trace("text=龘靐齉爩", "trace.min-tokens=5");
    assertThat(said.status()).isZero();
    assertThat(said.out()).contains("no document of train shares a run of 5 tokens with it");
  }

  @Test
  void everyTokenHasADocumentAndASource() {
    Said said = trace("trace.at=train/shard-00001:40");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .startsWith("train/shard-00001, token 40: ")
        .containsPattern(
            "document (doc-[0-9]+|spring|autumn|autumn-again), source corpus: tokens ");
  }

  @Test
  void wrongQuestionsAreRefused() {
    refused("trace: got neither text nor ids, wanted one of text=… and ids=[…]");
    refused("trace: got text and ids, wanted one of text=… and ids=[…]", "text=a", "ids=[5]");
    refused("token id 99,999 is outside the vocabulary of ", "ids=[99999]");
    refused("trace: got 0 tokens to look for, wanted 1 to 100,000", "text=\"\"");
    refused("trace.documents: got 0, wanted 1 or more", "text=a", "trace.documents=0");
    refused(
        "trace.splits: got [dev], wanted some of [train, validation, test]",
        "text=a",
        "trace.splits=[dev]");
    refused("trace.at: got 'shard-00000', wanted a shard and a position", "trace.at=shard-00000");
    refused("shard 'train/shard-00099': there is none in ", "trace.at=train/shard-00099:1");
    refused(
        "position 999,999: train/shard-00000 has tokens 0 to ",
        "trace.at=train/shard-00000:999999");
    Said nowhere = run("trace", "text=a", "tokens=" + work.resolve("nothing"));
    assertThat(nowhere.status()).isEqualTo(2);
    assertThat(nowhere.err()).contains("no manifest.json, so no finished token shards");
  }

  private static void refused(String message, String... words) {
    Said said = trace(words);
    assertThat(said.err()).contains(message);
    assertThat(said.status()).isEqualTo(2);
  }
}
