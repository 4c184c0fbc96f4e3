package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.pipeline.Json;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two runs of clean over six documents, and what the commands tell of them. */
class DiffSparkTest {
  private static final String[] SPARK = {
    "--master", "local[2]", "spark.sql.shuffle.partitions=2", "spark.default.parallelism=2"
  };

  @TempDir static Path work;

  private static Said run(String... words) {
    return CommandLine.run(
        Stream.concat(Stream.of(words), Stream.of(SPARK)).toArray(String[]::new));
  }

  @BeforeAll
  static void twoRuns() throws IOException {
    document("first.jsonl", "long", "这是一篇很长的中文文章，讲的是春天的故事，大家都喜欢读。");
    document("first.jsonl", "mail", "请写信到 someone@example.org 联系我们，谢谢大家的支持。");
    document("first.jsonl", "short", "春天来了，花开。");
    document("first.jsonl", "middle", "春天来了，花都开了，很好看。");
    document(
        "first.jsonl", "english", "This is a text in English about the spring and its flowers.");
    document("first.jsonl", "gone", "只在第一次的文章，第二次没有了，因为它被删除了。");
    Files.createDirectories(work.resolve("a"));
    Files.copy(work.resolve("first.jsonl"), work.resolve("a/corpus.jsonl"));
    Files.createDirectories(work.resolve("b"));
    Files.writeString(
        work.resolve("b/corpus.jsonl"),
        Files.readString(work.resolve("first.jsonl")).replaceAll("(?m)^.*\"gone\".*\n", ""));
    clean("a", "one", "clean.zh.length.min-characters=10");
    clean(
        "b",
        "two",
        "clean.zh.length.min-characters=20",
        "clean.mask-pii=[]",
        "clean.keep-languages=[zh]");
  }

  private static void document(String file, String id, String text) throws IOException {
    String line = Json.compact(Map.of("id", id, "text", text)) + "\n";
    Path path = work.resolve(file);
    Files.writeString(path, (Files.exists(path) ? Files.readString(path) : "") + line);
  }

  private static void clean(String input, String output, String... settings) {
    Said said =
        run(
            Stream.concat(
                    Stream.of(
                        "clean",
                        "input=" + work.resolve(input),
                        "output=" + work.resolve(output),
                        "id-field=id",
                        "read.source=web",
                        "clean.zh.filters=[length]",
                        "clean.en.filters=[length]",
                        "clean.en.length.min-characters=10"),
                    Stream.of(settings))
                .toArray(String[]::new));
    assertThat(said.status()).as(said.err()).isZero();
  }

  @Test
  void diffTellsWhichDocumentsWereDecidedDifferentlyAndWhy() throws IOException {
    Said said =
        run(
            "diff",
            work.resolve("one").toString(),
            work.resolve("two").toString(),
            "output=" + work.resolve("out"));
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .contains(
            "kept → dropped as too_short: 1 {zh=1}",
            "  [middle] web corpus.jsonl (14 code points, minimum 20): 春天来了，花都开了，很好看。",
            "kept → dropped as language: 1 {en=1}",
            "only in the first, kept: 1 {zh=1}",
            "another text, kept in both: 1 {zh=1}",
            "clean.zh.length.minCharacters: 10 → 20",
            "  inputs: not the same",
            "  2 documents decided alike, with the same text");
    JsonNode json = Json.MAPPER.readTree(work.resolve("out/diff.json").toFile());
    assertThat(json.at("/same").asLong()).isEqualTo(2);
    assertThat(json.at("/transitions")).hasSize(4);
    Said back = run("diff", work.resolve("two").toString(), work.resolve("one").toString());
    assertThat(back.out())
        .contains("dropped as too_short → kept: 1 {zh=1}", "only in the second, kept: 1 {zh=1}");
    String one = work.resolve("one").toString();
    assertThat(run("diff", "first=" + one, "second=" + one).out())
        .contains("inputs: the same", "configuration: the same", "  6 documents decided alike")
        .doesNotContain("→ dropped");
  }

  @Test
  void diffRefusesWhatItCannotCompare() {
    String one = work.resolve("one").toString();
    isRefused(run("diff", one), "second: not given. Another run");
    isRefused(run("diff", one, one, one), one + ": wanted KEY=VALUE");
    isRefused(
        run("diff", one, work.resolve("nowhere").toString()),
        "nowhere: no manifest.json, wanted a finished documents output");
    isRefused(run("diff", one, one, "diff.samples=-1"), "diff.samples: got -1, wanted 0 or more");
    isRefused(
        run("diff", one, one, "output=" + work.resolve("first.jsonl")),
        "is a file, wanted a directory to write diff.json into");
    Said dedup = run("dedup", "input=" + one, "output=" + work.resolve("dedup"));
    assertThat(dedup.status()).as(dedup.err()).isZero();
    isRefused(
        run("diff", one, work.resolve("dedup").toString()),
        "is an output of clean",
        "one of dedup: wanted two runs of the same stage");
  }

  @Test
  void inspectShowsDroppedDocumentsPerReasonWithWhatWasMeasured() {
    Said said = run("inspect", "input=" + work.resolve("two"));
    assertThat(said.out())
        .contains(
            "dropped as language, 1 of 1:",
            "  [english] web corpus.jsonl en (en, kept are [zh]): This is a text",
            "dropped as too_short, 2 of 2:",
            "  [short] web corpus.jsonl zh (8 code points, minimum 20): 春天来了，花开。");
    Said fewer = run("inspect", "input=" + work.resolve("two"), "inspect.samples=1", "seed=7");
    assertThat(fewer.out()).contains("dropped as too_short, 1 of 2:");
    assertThat(run("inspect", "input=" + work.resolve("two"), "inspect.samples=1", "seed=7").out())
        .isEqualTo(fewer.out());
    assertThat(run("inspect", "input=" + work.resolve("two"), "inspect.samples=0").out())
        .doesNotContain("dropped as too_short, ");
    isRefused(
        run("inspect", "input=" + work.resolve("two"), "inspect.samples=-1"),
        "inspect.samples: got -1, wanted 0 or more");
    isRefused(
        run("inspect", "input=" + work.resolve("two"), "rows=-1"),
        "rows: got -1, wanted 0 or more");
  }

  private static void isRefused(Said said, String... parts) {
    assertThat(said.err()).contains(parts).doesNotContain("\tat ");
    assertThat(said.status()).as(said.err()).isEqualTo(2);
  }
}
