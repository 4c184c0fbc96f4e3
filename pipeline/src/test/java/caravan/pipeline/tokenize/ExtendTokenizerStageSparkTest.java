package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.TestSpark;
import caravan.pipeline.tokenize.ExtendTokenizerStage.Texts;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExtendTokenizerStageSparkTest {
  private static final List<Document> ENGLISH =
      List.of(
          document("en-1", "", "The train leaves at 15:20 and arrives in the evening."),
          document("en-2", "en", "It leaves 上海 in the evening."));
  private static final ExtensionConfig CONFIG =
      new ExtensionConfig(560, 0.98, 16, List.of("han"), 1_000_000, 1_000_000);

  private final SparkSession spark = TestSpark.session();
  private final SentencePieceTokenizer base = TestModels.tokenizer("\u2581", "th", "the", "t", "h");

  @TempDir Path folder;
  private Inputs inputs;

  private static Document document(String id, String language, String text) {
    return new Document(id, "test", "test.txt", language, text, Map.of());
  }

  @BeforeEach
  void anInputFile() throws IOException {
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    inputs =
        Inputs.resolve(
            spark.sparkContext().hadoopConfiguration(), folder.resolve("input.jsonl").toString());
  }

  private Texts texts(List<Document> documents, int partitions) {
    Dataset<Row> rows =
        spark.createDataFrame(documents.stream().map(Documents::toRow).toList(), Documents.SCHEMA);
    return new Texts(inputs, rows.repartition(partitions));
  }

  private ExtendTokenizerStage.Result run(ExtensionConfig config, int partitions) {
    return new ExtendTokenizerStage(spark, base, config, 42, 0.05)
        .run(
            texts(MixedText.documents(120, 1), partitions),
            Optional.of(texts(ENGLISH, 1)),
            folder.resolve("out").toString(),
            false);
  }

  @Test
  void writesAVocabularyAndWhatItChanges() throws IOException {
    run(CONFIG, 3);
    SentencePieceTokenizer extended =
        SentencePieceTokenizer.read(folder.resolve("out/tokenizer.model"));
    assertThat(extended.model().pieces().subList(0, base.vocabSize()))
        .isEqualTo(base.model().pieces());
    assertThat(Files.readAllLines(folder.resolve("out/tokenizer.vocab"))).hasSize(560);
    JsonNode report = Json.MAPPER.readTree(folder.resolve("out/report.json").toFile());
    assertThat(report.get("newCharacters").asInt() + report.get("newMerges").asInt())
        .isEqualTo(560 - base.vocabSize());
    JsonNode chinese = report.at("/learnedFrom/zh");
    assertThat(chinese.get("bytesPerTokenAfter").asDouble())
        .isGreaterThan(1.5 * chinese.get("bytesPerTokenBefore").asDouble());
    // Documents without a language get the detected one.
    JsonNode english = report.at("/measuredOn/en");
    assertThat(english.get("documents").asInt()).isEqualTo(2);
    assertThat(english.get("unchangedDocuments").asInt()).isEqualTo(1);
    assertThat(english.get("newTokens").asInt()).isEqualTo(extended.encode("上海").length - 1);
    assertThat(report.get("newPieces").toString()).contains("\"天气\"");
  }

  @Test
  void isLeftAloneUnlessItsBaseOrConfigurationChangesOrItIsDamaged() throws IOException {
    String first = run(CONFIG, 1).manifest().contentHash();
    assertThat(run(CONFIG, 4).upToDate()).isTrue();
    Files.writeString(folder.resolve("out/tokenizer.vocab"), "<unk>\t0\n");
    ExtendTokenizerStage.Result again = run(CONFIG, 4);
    assertThat(again.upToDate()).isFalse();
    assertThat(again.manifest().contentHash()).isEqualTo(first);
    ExtensionConfig larger =
        new ExtensionConfig(565, 0.98, 16, List.of("han"), 1_000_000, 1_000_000);
    assertThat(run(larger, 1).upToDate()).isFalse();
    assertThatThrownBy(
            () ->
                new ExtendTokenizerStage(
                    spark, base, new ExtensionConfig(100, 0.98, 16, List.of(), 1000, 1000), 42, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("extend-tokenizer.vocab-size: got 100, but the base has 264");
  }
}
