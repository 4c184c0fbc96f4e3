package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.pipeline.Json;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Six documents that share a line and a passage, through dedup and what is told of it. */
class RepeatedTextSparkTest {
  private static final String[] SPARK = {
    "--master", "local[2]", "spark.sql.shuffle.partitions=2", "spark.default.parallelism=2"
  };
  private static final String LINE = "Sign up for our newsletter and never miss a story again";
  private static final String PASSAGE =
      "春天来了山上的花都开了河里的冰也化了孩子们跑到田野里放风筝老人们坐在门口晒太阳谁都不想回家直到月亮从东边的山后面慢慢地升起来";

  @TempDir static Path work;

  private static final Random random = new Random(8);

  private static Said run(String... words) {
    return CommandLine.run(
        Stream.concat(Stream.of(words), Stream.of(SPARK)).toArray(String[]::new));
  }

  private static Said dedup(String output, String... settings) {
    return run(
        Stream.concat(
                Stream.of(
                    "dedup",
                    "input=" + work.resolve("raw.jsonl"),
                    "output=" + work.resolve(output),
                    "id-field=id"),
                Stream.of(settings))
            .toArray(String[]::new));
  }

  private static String text(int characters) {
    return random
        .ints(characters, 0x4E00, 0x9000)
        .mapToObj(Character::toString)
        .collect(Collectors.joining());
  }

  @BeforeAll
  static void corpus() throws IOException {
    List<String> texts =
        List.of(
            text(300) + "\n" + LINE,
            text(150) + "\n" + LINE,
            LINE + "!\n" + text(100) + "。" + PASSAGE + "。" + text(90),
            text(300) + PASSAGE + text(10),
            text(9) + PASSAGE, // loses most
            text(120));
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < texts.size(); i++) {
      lines.append(Json.compact(Map.of("id", "d-" + i, "text", texts.get(i)))).append('\n');
    }
    Files.writeString(work.resolve("raw.jsonl"), lines);
    Said said =
        dedup(
            "removed",
            "dedup.lines.action=remove",
            "dedup.lines.min-documents=3",
            "dedup.substrings.action=remove");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .contains("dropped: repeated_passage 1")
        .contains("dedup: 6 stretches of text that other documents have too; see ");
  }

  private static JsonNode json(String file) throws IOException {
    return Json.MAPPER.readTree(Files.readAllBytes(work.resolve(file)));
  }

  @Test
  void theReportAccountsForEveryCharacter() throws IOException {
    JsonNode report = json("removed/report.json");
    assertThat(report.at("/editedAway/repeated_line").asLong()).isEqualTo(2 * LINE.length() + 3);
    assertThat(report.at("/editedAway/repeated_passage").asLong()).isEqualTo(PASSAGE.length() + 1);
    assertThat(report.at("/droppedByReason/repeated_passage/documents").asLong()).isEqualTo(1);
    long edited = 2 * LINE.length() + 3 + PASSAGE.length() + 1;
    assertThat(report.at("/input/characters").asLong())
        .isEqualTo(
            report.at("/kept/characters").asLong()
                + report.at("/dropped/characters").asLong()
                + edited);
    assertThat(report.at("/counts/repeated_lines").asLong()).isEqualTo(3);
    assertThat(report.at("/counts/most_documents_of_a_repeated_passage").asLong()).isEqualTo(3);
  }

  @Test
  void everyRepeatIsListedAndTheMostFrequentOnesAreShown() throws IOException {
    JsonNode report = json("removed/repeats.json");
    assertThat(report.get("repeats").asLong()).isEqualTo(6);
    assertThat(report.get("frequent")).hasSize(2);
    long lines = 0;
    for (JsonNode file : report.get("files")) {
      for (String line : Files.readAllLines(work.resolve("removed/" + file.asText()))) {
        JsonNode repeat = Json.MAPPER.readTree(line).get("repeat");
        assertThat(repeat.get("documents").asLong()).isEqualTo(3);
        lines++;
      }
    }
    assertThat(lines).isEqualTo(6);
    assertThat(Files.readString(work.resolve("removed/report.html")))
        .contains("Text that several documents have", LINE, PASSAGE.substring(0, 50));
  }

  @Test
  void explainTellsWhatWentAndWhereItStays() {
    Said said = run("explain", "d-2", "output=" + work.resolve("removed"));
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .containsSubsequence(
            "dedup: kept",
            "  repeated lines: characters 0 to 56 of the text before; in 3 documents, first in d-0 at 301; 56 characters go",
            "      " + LINE + "!",
            "  repeated passage: characters 101 to 163 of the text before; in 3 documents, first in d-3 at 300; 62 characters go",
            "      春天来了");
    assertThat(run("explain", "d-3", "output=" + work.resolve("removed")).out())
        .contains("first in d-3 at 300; stays");
    assertThat(run("explain", "d-4", "output=" + work.resolve("removed")).out())
        .contains(
            "dedup: dropped as repeated_passage: would lose 62 of 71 characters, at most 80 %, to passages of other documents; the longest is in 3, first in d-3");
    Said inspected = run("inspect", "input=" + work.resolve("removed"));
    assertThat(inspected.status()).as(inspected.err()).isZero();
    assertThat(inspected.out()).contains("repeated_passage");
  }

  @Test
  void withReportAloneNothingGoes() throws IOException {
    Said said =
        dedup(
            "reported",
            "dedup.lines.action=report",
            "dedup.lines.unit=paragraph",
            "dedup.substrings.action=report");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(json("reported/report.json").get("editedAway")).isEmpty();
    assertThat(json("reported/report.json").at("/kept/documents").asLong()).isEqualTo(6);
    assertThat(json("reported/repeats.json").get("repeats").asLong()).isEqualTo(3);
    assertThat(dedup("reported").status()).isZero(); // off
    assertThat(work.resolve("reported/repeats.json")).doesNotExist();
    assertThat(work.resolve("reported/repeats")).isEmptyDirectory();
  }

  @Test
  void wrongSettingsAreNamed() {
    assertThat(dedup("wrong", "dedup.lines.action=delete"))
        .satisfies(
            said -> {
              assertThat(said.status()).isEqualTo(2);
              assertThat(said.err())
                  .contains(
                      "dedup.lines.action: got \"delete\", wanted one of off, report, remove");
            });
    assertThat(dedup("wrong", "dedup.lines.min-documents=1").err())
        .contains("dedup.lines.min-documents: got 1, wanted a number from 2 to 1000000");
    assertThat(dedup("wrong", "dedup.substrings.min-units=5").err())
        .contains("dedup.substrings.min-units: got 5, wanted a number from 10 to 10000");
    assertThat(dedup("wrong", "dedup.substrings.max-removed-fraction=0").err())
        .contains(
            "dedup.substrings.max-removed-fraction: got 0.0, wanted a fraction above 0 and at most 1, such as 0.8");
  }
}
