package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.pipeline.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** The stories of five documents through clean and dedup. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ExplainSparkTest {
  private static final String[] SPARK = {
    "--master", "local[2]", "spark.sql.shuffle.partitions=2", "spark.default.parallelism=2"
  };
  private static final String SPRING = "第１２章：春天来了，山上的花都开了，河里的冰也化了，孩子们跑到田野里放风筝，老人们坐在门口晒太阳，谁都不想回家。";

  @TempDir static Path work;

  private static Said run(String... words) {
    return CommandLine.run(
        Stream.concat(Stream.of(words), Stream.of(SPARK)).toArray(String[]::new));
  }

  private static String line(String id, String text) {
    return Json.compact(Map.of("id", id, "text", text, "year", 1999));
  }

  @BeforeAll
  static void cleanAndDedup() throws IOException {
    Files.createDirectories(work.resolve("raw/web"));
    Files.write(
        work.resolve("raw/web/pages.jsonl"),
        List.of(
            line("spring", SPRING + "请写信到 someone@example.org。"),
            line("spring-again", SPRING + "请写信到 other@example.com。"),
            line("spring-near", SPRING.replace("风筝", "纸鸢") + "请写信到 x@example.org。"),
            line("short", "太短了，不够长。"),
            "{broken"));
    Files.writeString(work.resolve("raw/made.txt"), "没有编号的文章：" + SPRING.substring(20));
    String clean = work.resolve("clean").toString();
    succeeds(
        "clean",
        "input=" + work.resolve("raw/web") + "," + work.resolve("raw/made.txt"),
        "output=" + clean,
        "id-field=id",
        "read.max-broken-fraction=0.5",
        "clean.zh.filters=[length]",
        "clean.zh.length.min-characters=20");
    succeeds("dedup", "input=" + clean, "output=" + work.resolve("dedup"));
  }

  private static void succeeds(String... words) {
    Said said = run(words);
    assertThat(said.status()).as(said.err()).isZero();
  }

  private static Said explain(String id) {
    return run("explain", id, "output=" + work);
  }

  @Test
  @Order(1)
  void aKeptDocumentIsToldFromItsRecordToTheDuplicatesThatFellForIt() {
    Said said = explain("spring");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .contains("spring, source web", "/raw/web/pages.jsonl, record 1: 81 characters")
        .contains("    meta year: 1999")
        .containsSubsequence(
            "clean: kept; language zh (",
            "  normalize: characters taken away: full_width 0",
            "      第[-１２-]{+12+}章：春天",
            "  length: keeps it",
            "      too_short: 81 code points, minimum 20",
            "  mask-pii: characters taken away: pii_email 12",
            "请写信到 [-someone@example.org-]{+<EMAIL>+}。",
            "    69 characters: 第12章",
            "dedup: kept; language zh (",
            "  dropped for it: 2, among them spring-again, spring-near")
        .doesNotContain("This program", "tokens:");
  }

  @Test
  @Order(1)
  void aDuplicateIsToldWithItsTwin() {
    assertThat(explain("spring-near").out())
        .containsSubsequence(
            "clean: kept; language zh (",
            "dedup: dropped as near_duplicate: near duplicate of spring, Jaccard 0.",
            "  twin spring, Jaccard similarity 0.",
            "    source web, 69 characters: 第12章",
            "放[-风筝-]{+纸鸢+}，老人们");
    assertThat(explain("spring-again").out())
        .contains("dropped as exact_duplicate: same text as spring", "similarity 1.000");
  }

  @Test
  @Order(1)
  void aDroppedDocumentAndABrokenRecordAreTold() {
    assertThat(explain("short").out())
        .containsSubsequence(
            "clean: dropped as too_short: 8 code points, minimum 20; language zh (",
            "  length: drops it as too_short: 8 code points, minimum 20",
            "    ✗ too_short: 8 code points, minimum 20",
            "      too_long: 8 code points, maximum 1000000")
        .doesNotContain("dedup:");
    String broken = idOf("dropped as broken_record, 1 of 1:");
    assertThat(explain(broken).out())
        .contains("record 5: 7 characters", "clean: dropped as broken_record: no JSON");
  }

  /** The id on the line after one that inspect prints for clean. */
  private static String idOf(String heading) {
    String out = run("inspect", "input=" + work.resolve("clean")).out();
    String line = out.substring(out.indexOf(heading)).lines().skip(1).findFirst().orElseThrow();
    return line.substring(line.indexOf('[') + 1, line.indexOf(']'));
  }

  @Test
  @Order(1)
  void dedupsPageShowsHowNearDuplicatesDiffer() {
    assertThat(work.resolve("dedup/report.html"))
        .content()
        .contains("near duplicates by similarity", "documents by length", "<td>clusters</td>")
        .contains("<b>spring-near</b> web, zh: Jaccard 0.", " to spring of source web")
        .contains("放<del>风筝</del><ins>纸鸢</ins>，老人们");
  }

  @Test
  @Order(1)
  void aSingleOutputLeadsBackToTheOnesBeforeIt() {
    Said said = run("explain", "id=spring", "output=" + work.resolve("dedup"));
    assertThat(said.out()).containsSubsequence("record 1:", "clean: kept", "dedup: kept");
  }

  @Test
  @Order(1)
  void whatCannotBeExplainedIsRefused() {
    isRefused(
        explain("spring-agian"),
        "id spring-agian: no document of this id in file:",
        "/clean (6 documents), file:",
        "/dedup (4 documents). Ids that look alike: spring-again");
    isRefused(explain("nothing-like-it"), "No id looks alike; inspect shows some");
    isRefused(run("explain", "spring"), "output: not given");
    isRefused(run("explain", "output=" + work), "id: not given");
    isRefused(
        run("explain", "spring", "output=" + work.resolve("nowhere")),
        "nowhere: no such directory");
    isRefused(
        run("explain", "spring", "output=" + work.resolve("raw")),
        "neither it nor a directory in it is a finished output of documents or tokens");
    isRefused(
        run("explain", "spring", "output=" + work.resolve("raw/made.txt")),
        "is a file, wanted a directory of outputs, or one");
  }

  @Test
  @Order(2)
  void aRawFileThatChangedOrIsGoneIsNotReadAgain() throws IOException {
    Path pages = work.resolve("raw/web/pages.jsonl");
    Files.writeString(pages, "{}\n", StandardOpenOption.APPEND);
    assertThat(explain("spring").out())
        .contains("pages.jsonl: the file has changed since (", "cannot be shown")
        .contains("clean: kept; language zh (", "    69 characters: 第12章")
        .doesNotContain("normalize:");
    Files.delete(pages);
    assertThat(explain("spring").out()).contains("pages.jsonl: the file is gone");
  }

  private static void isRefused(Said said, String... parts) {
    assertThat(said.err()).contains(parts).doesNotContain("\tat ");
    assertThat(said.status()).as(said.err()).isEqualTo(2);
  }
}
