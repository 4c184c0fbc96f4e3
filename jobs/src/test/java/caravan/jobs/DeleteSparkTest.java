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
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two days beside an index, and a document that has to go. */
class DeleteSparkTest {
  private static final String[] SPARK = {
    "--master", "local[2]", "spark.sql.shuffle.partitions=2", "spark.default.parallelism=2"
  };
  private static final String TEXT = "春天来了，山上的花都开了，河里的冰也化了，孩子们跑到田野里放风筝，老人们坐在门口晒太阳，谁都不想回家。";
  private static final String OTHER =
      "The harbour was quiet that morning, and only a few gulls circled over the water near the old wall.";

  @TempDir Path work;

  private Said run(String... words) {
    return CommandLine.run(
        Stream.concat(Stream.of(words), Stream.of(SPARK)).toArray(String[]::new));
  }

  private Said dedup(String day, String... more) {
    return run(
        Stream.concat(
                Stream.of(
                    "dedup",
                    "input=" + work.resolve(day + ".jsonl"),
                    "output=" + work.resolve(day),
                    "index=" + work.resolve("index"),
                    "id-field=id"),
                Stream.of(more))
            .toArray(String[]::new));
  }

  private void write(String day, String... idsAndTexts) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < idsAndTexts.length; i += 2) {
      lines.append(Json.compact(Map.of("id", idsAndTexts[i], "text", idsAndTexts[i + 1])));
      lines.append('\n');
    }
    Files.writeString(work.resolve(day + ".jsonl"), lines);
  }

  private JsonNode report(String day) throws IOException {
    return Json.MAPPER.readTree(work.resolve(day + "/report.json").toFile());
  }

  @Test
  void whatIsDeletedLeavesOutputsAndIndexAndDoesNotComeBack() throws IOException {
    write("monday", "whole", TEXT + "的确如此。", "like", TEXT, "gulls", OTHER);
    write("tuesday", "again", TEXT + "真的。", "new", OTHER.replace("gulls", "boats and a dog"));
    assertThat(dedup("monday").out()).contains("kept 2 of 3 documents");
    Said tuesday = dedup("tuesday");
    assertThat(tuesday.out()).as(tuesday.err()).contains("kept 1 of 2", "near_duplicate 1");
    assertThat(report("tuesday").at("/counts/documents_dropped_for_earlier").asInt()).isEqualTo(1);
    assertThat(work.resolve("tuesday/report.html"))
        .content()
        .contains("the index of 3 different texts of earlier runs; 1 documents were dropped");
    assertThat(dedup("tuesday").out()).contains("dedup: up to date: kept 1 of 2");
    Said other = dedup("tuesday", "dedup.bands=19");
    assertThat(other.status()).isEqualTo(2);
    assertThat(other.err()).contains("dedup.bands is 20 in the index and 19 in this run");

    refusesIdsThatAreNowhere();
    deletes();

    write("wednesday", "whole", TEXT + "的确如此。", "more", TEXT + "还有。");
    Said wednesday = dedup("wednesday");
    assertThat(wednesday.out())
        .as(wednesday.err())
        .contains("kept 1 of 2 documents", "deletion_request 1");
    assertThat(everything()).as("no file holds the text").doesNotContain("的确如此");
  }

  private void refusesIdsThatAreNowhere() {
    String output = "output=[" + work.resolve("monday") + "," + work.resolve("tuesday") + "]";
    Said said = run("delete", "deletions=[whole,wrong]", output, "index=" + work.resolve("index"));
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err())
        .contains(
            "deletions: 1 of 2 ids are in no output and not in the index ", ": wrong. Nothing");
    assertThat(run("delete", "deletions=[]", output).err()).contains("deletions: got no id");
  }

  private void deletes() throws IOException {
    Path list = Files.write(work.resolve("ids.txt"), List.of("whole", "", " new "));
    String output = "output=[" + work.resolve("monday") + "," + work.resolve("tuesday") + "]";
    Said said = run("delete", "deletions=" + list, output, "index=" + work.resolve("index"));
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .contains("2 ids; before the deletion they were here:", "  dedup: whole, kept")
        .contains("deleted 1 documents of ")
        .contains("  dropped there as duplicates of a deleted one, and not brought back: like\n")
        .contains("  dropped there as duplicates of a deleted one, and not brought back: again\n")
        .contains("deleted 4 texts of the index ", ", 2 of them because they had fallen");
    JsonNode monday = report("monday");
    assertThat(monday.at("/droppedByReason/deletion_request/documents").asInt()).isEqualTo(1);
    assertThat(monday.at("/input/characters").asLong())
        .isEqualTo(
            monday.at("/kept/characters").asLong()
                + monday.at("/dropped/characters").asLong()
                + monday.at("/editedAway/deletion_request").asLong());
    assertThat(run("inspect", "input=" + work.resolve("monday")).out())
        .contains("deletion_request");
    assertThat(run("forget", "whole", "output=" + work.resolve("monday")).out())
        .contains("deletion_request: deleted on request");
  }

  /** The bytes of all outputs and of the index. */
  private String everything() throws IOException {
    StringBuilder bytes = new StringBuilder();
    for (String part : List.of("monday", "tuesday", "wednesday", "index")) {
      try (Stream<Path> files = Files.walk(work.resolve(part))) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          bytes.append(new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
        }
      }
    }
    return bytes.toString();
  }
}
