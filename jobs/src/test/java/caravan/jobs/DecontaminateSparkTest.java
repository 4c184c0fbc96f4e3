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
    words.addAll(items());
    return CommandLine.run(
        Stream.of(words.stream(), Stream.of(settings), Stream.of(OPTIONS))
            .flatMap(s -> s)
            .toArray(String[]::new));
  }

  private List<String> items() {
    return List.of(
        "decontaminate.items=" + work + "/items.jsonl",
        "decontaminate.item-fields=[question, \"choices[]\"]",
        "decontaminate.item-id-field=id");
  }

  private Said find(String... settings) {
    return CommandLine.run(
        Stream.of(
                Stream.of("find", "input=" + work + "/corpus.jsonl"),
                Stream.of(settings),
                Stream.of(OPTIONS))
            .flatMap(s -> s)
            .toArray(String[]::new));
  }

  private static void isRefused(Said said, String... parts) {
    assertThat(said.err()).contains(parts).doesNotContain("\tat ");
    assertThat(said.status()).as(said.err()).isEqualTo(2);
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
    assertThat(report.get(0).get("share").asDouble()).isLessThan(1);
    assertThat(hellaswag.get("share").asDouble()).isEqualTo(0.866);
    assertThat(work.resolve("dropped/report.html"))
        .content()
        .contains(
            "2 of 4 items are in the corpus",
            "items.jsonl",
            "hellaswag-7",
            "86.6 % of its 15 units in one document",
            "a man is sitting on a roof",
            "What became of the documents",
            "contaminated");
    assertThat(run("dropped").out()).contains("up to date");
  }

  @Test
  void aLostReportIsWrittenAgainWithoutReadingTheCorpus() throws IOException {
    run("lost");
    Path report = work.resolve("lost/contamination.jsonl");
    String before = Files.readString(report);
    Files.delete(report);
    assertThat(run("lost").out()).contains("up to date", "2 of 4 items are in the corpus");
    assertThat(report).hasContent(before);
  }

  @Test
  void anEarlierRunsFindingsAreNotTakenForThisOnes() throws IOException {
    run("told", "decontaminate.action=report");
    write("others.jsonl", Map.of("question", "a text that no evaluation item has anything to do"));
    Said said =
        run(
            "again",
            "input=" + work + "/told",
            "decontaminate.action=report",
            "decontaminate.item-id-field=\"\"",
            "decontaminate.items=" + work + "/others.jsonl");
    assertThat(said.out()).contains("1 of 1 items are in the corpus");
    assertThat(report("again").get(0).get("documents").asInt()).isEqualTo(1);
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

  @Test
  void recordsThatAreNoItemsAreRefused() throws IOException {
    isRefused(
        run("refused", "decontaminate.item-fields=ctx"),
        "decontaminate.items: a record of items.jsonl is no item: no field ctx",
        "it has ",
        "question",
        "see decontaminate.item-fields");
    isRefused(
        run("refused", "decontaminate.item-id-field=number"),
        "a record of items.jsonl is no item: no field number");
    Files.writeString(work.resolve("items.jsonl"), "\n\n");
    isRefused(run("refused"), "decontaminate.items: got files without a record");
    Files.writeString(work.resolve("items.jsonl"), "");
    isRefused(run("refused"), "items.jsonl", "empty");
    assertThat(work.resolve("refused/manifest.json")).doesNotExist();
  }

  @Test
  void itemsThatAreAllShorterThanTheShortestLookedForAreRefused() throws IOException {
    write("items.jsonl", Map.of("id", "a", "question", "光合作用"));
    isRefused(
        run("refused"),
        "decontaminate.items: got 1 items of fewer than 8 units",
        "lower decontaminate.min-item-units");
    assertThat(run("short", "decontaminate.min-item-units=4").out())
        .contains("1 of 1 items are in the corpus", "1 as a whole in one document");
  }

  @Test
  void anIndexLargerThanAllowedIsRefusedWithItsSize() throws IOException {
    Files.writeString(
        work.resolve("items.jsonl"),
        Json.compact(Map.of("id", "x", "question", "词".repeat(60_000))));
    isRefused(
        run("refused", "decontaminate.max-index-mb=1"),
        "the index of 1 items with 59,988 n-grams takes 2 MB",
        "decontaminate.max-index-mb allows 1");
  }

  @Test
  void findTellsWhereATextIsAndWritesNothing() {
    Said found = find(CHINESE);
    assertThat(found.status()).as(found.err()).isZero();
    assertThat(found.out())
        .contains(
            "the text: 100 % of its 18 units in one document; 2 documents",
            "    all of corpus, character 0: 下列关于光合作用的说法",
            "    zh of corpus, character 3: 下列关于光合作用的说法 正确");
    assertThat(find("nobody has ever written these eight words here").out())
        .contains("find: 0 of 1 items are in the corpus");
    isRefused(find("光合作用"), "fewer than 8 units", "lower decontaminate.min-item-units");
    isRefused(find(), "decontaminate.items: got nothing");
    isRefused(
        find(CHINESE, "decontaminate.items=x.jsonl"), "text: got a text and", "one of the two");
  }

  @Test
  void findReportsOnItemsAsDecontaminateDoes() throws IOException {
    run("dropped");
    List<String> settings = new ArrayList<>(items());
    settings.add("output=" + work + "/found");
    Said said = find(settings.toArray(String[]::new));
    assertThat(said.status()).as(said.err()).isZero();
    assertThat(said.out())
        .contains("hellaswag-7 of items.jsonl: 86.6 %", "find: 2 of 4 items are in the corpus");
    assertThat(work.resolve("found/contamination.jsonl"))
        .hasSameTextualContentAs(work.resolve("dropped/contamination.jsonl"));
    assertThat(work.resolve("found/report.html")).content().contains("hellaswag-7");
    isRefused(
        find(
            Stream.concat(items().stream(), Stream.of("output=" + work + "/dropped"))
                .toArray(String[]::new)),
        "holds the output of another command");
  }
}
