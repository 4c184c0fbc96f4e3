package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.CommandLine.Said;
import caravan.pipeline.Json;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DecontaminateSparkTest {
  private static final String CHINESE = "下列关于光合作用的说法，正确的是哪一项？";
  private static final String[] OPTIONS = {
    "--master", "local[2]", "spark.default.parallelism=2", "read.id-field=id"
  };

  @TempDir Path work;

  @BeforeEach
  void corpusAndItems() throws IOException {
    write(
        "corpus.jsonl",
        Map.of("id", "zh", "text", "前言。下列关于光合作用的说法 正确的是哪一项？后记。"),
        Map.of(
            "id",
            "en",
            "text",
            "It says: a man is sitting on a roof and he starts pulling up roofing, see?"),
        Map.of("id", "clean", "text", "A text that no evaluation item has anything to do with."),
        Map.of("id", "all", "text", CHINESE));
    write(
        "items.jsonl",
        Map.of("id", "ceval-1", "question", CHINESE, "choices", List.of("甲", "乙")),
        Map.of(
            "id",
            "hellaswag-7",
            "question",
            "A man is sitting on a roof and he starts pulling up roofing",
            "choices",
            List.of("with care")),
        Map.of("id", "missing", "question", "nobody has ever written these ten words in any text"),
        Map.of("id", "short", "question", "光合作用"));
  }

  @SafeVarargs
  private void write(String file, Map<String, ?>... records) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (Map<String, ?> record : records) {
      lines.append(Json.compact(record)).append('\n');
    }
    Files.writeString(work.resolve(file), lines);
  }

  private Said run(String output, String... settings) {
    List<String> words =
        new ArrayList<>(List.of("decontaminate", "input=" + work + "/corpus.jsonl"));
    words.add("output=" + work + "/" + output);
    words.add("decontaminate.items=" + work + "/items.jsonl");
    words.add("decontaminate.item-fields=[question, \"choices[]\"]");
    return CommandLine.run(
        Stream.of(words.stream(), Stream.of(settings), Stream.of(OPTIONS))
            .flatMap(s -> s)
            .toArray(String[]::new));
  }

  private List<JsonNode> report(String output) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(work.resolve(output + "/contamination.jsonl"))) {
      lines.add(Json.MAPPER.readTree(line));
    }
    return lines;
  }

  private JsonNode stageReport(String output) throws IOException {
    return Json.MAPPER.readTree(work.resolve(output + "/report.json").toFile());
  }

  @Test
  void documentsWithItemsAreDroppedAndTheReportSaysWhichItemIsWhere() throws IOException {
    Said said = run("dropped");
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .contains(
            "kept 1 of 4 documents",
            "contaminated 3",
            "2 of 4 items are in the corpus",
            "1 are too short");
    List<JsonNode> report = report("dropped");
    assertThat(report)
        .extracting(line -> line.get("item").asText() + " " + line.get("documents").asInt())
        .containsExactly("ceval-1 2", "hellaswag-7 1", "missing 0", "short 0");
    JsonNode hellaswag = report.get(1).get("examples").get(0);
    assertThat(hellaswag.get("document").asText()).isEqualTo("en");
    assertThat(hellaswag.get("character").asInt()).isEqualTo(9);
    assertThat(hellaswag.get("text").asText())
        .isEqualTo("a man is sitting on a roof and he starts pulling up roofing");
    assertThat(run("dropped").out()).contains("up to date");
  }

  @Test
  void passagesAreCutOutAndCountedAsEdits() throws IOException {
    assertThat(run("cut", "decontaminate.action=cut").status()).isZero();
    JsonNode report = stageReport("cut");
    assertThat(report.at("/kept/documents").asInt()).isEqualTo(3);
    assertThat(report.at("/droppedByReason/contaminated/documents").asInt()).isEqualTo(1);
    assertThat(report.at("/editedAway/contaminated").asInt()).isPositive();
  }

  @Test
  void aReportAloneLeavesEveryDocument() throws IOException {
    assertThat(run("told", "decontaminate.action=report").status()).isZero();
    assertThat(stageReport("told").at("/kept/documents").asInt()).isEqualTo(4);
    assertThat(report("told").get(0).get("documents").asInt()).isEqualTo(2);
  }

  @Test
  void aCommandWithoutItemsIsRefused() {
    Said said = run("none", "decontaminate.items=[]");
    assertThat(said.status()).isEqualTo(2);
    assertThat(said.err())
        .contains("decontaminate.items: got nothing, wanted files of evaluation items");
  }
}
