package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.TestSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainTokenizerStageSparkTest {
  private static final List<Document> DOCUMENTS = MixedText.documents(120, 1);
  private static final TokenizerConfig CONFIG =
      new TokenizerConfig(700, 0.9995, 16, true, List.of(), 1_000_000);

  private final SparkSession spark = TestSpark.session();
  private final Configuration conf = spark.sparkContext().hadoopConfiguration();

  @TempDir Path folder;
  private Inputs inputs;

  @BeforeEach
  void anInputFile() throws IOException {
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    inputs = Inputs.resolve(conf, folder.resolve("input.jsonl").toString());
  }

  private Dataset<Row> documents(int partitions) {
    return spark
        .createDataFrame(DOCUMENTS.stream().map(Documents::toRow).toList(), Documents.SCHEMA)
        .repartition(partitions);
  }

  private String output() {
    return folder.resolve("out").toString();
  }

  @Test
  void countingOnSparkGivesTheVocabularyOfCountingAtHand() throws IOException {
    new TrainTokenizerStage(spark, CONFIG, 42).write(inputs, documents(5), output());
    SegmentSplitter splitter = new SegmentSplitter(new PieceRules(16, true), List.of());
    SegmentCounts counts =
        SegmentCounts.of(DOCUMENTS.stream().map(Document::text).toList(), splitter);
    assertThat(Files.readAllBytes(folder.resolve("out/tokenizer.model")))
        .isEqualTo(BpeTrainer.train(counts, CONFIG).toBytes());
    SentencePieceTokenizer tokenizer =
        SentencePieceTokenizer.read(folder.resolve("out/tokenizer.model"));
    assertThat(tokenizer.vocabSize()).isEqualTo(700);
    List<String> vocabulary = Files.readAllLines(folder.resolve("out/tokenizer.vocab"));
    assertThat(vocabulary).hasSize(700).startsWith("<unk>\t0", "<s>\t0", "</s>\t0", "<0x00>\t0");
    assertThat(vocabulary.get(300)).isEqualTo(tokenizer.piece(300) + "\t-41");
    assertThat(Files.readString(folder.resolve("out/tokenizer_config.json")))
        .contains("\"tokenizer_class\" : \"LlamaTokenizer\"");
  }

  @Test
  void aValidVocabularyIsLeftAloneAndADamagedOneIsMadeAgain() throws IOException {
    TrainTokenizerStage stage = new TrainTokenizerStage(spark, CONFIG, 42);
    Manifest first = stage.run(inputs, documents(2), output(), false).manifest();
    assertThat(first.counts()).containsEntry("pieces", 700L);
    assertThat(stage.run(inputs, documents(2), output(), false).upToDate()).isTrue();
    Files.writeString(folder.resolve("out/tokenizer.vocab"), "<unk>\t0\n");
    TrainTokenizerStage.Result again = stage.run(inputs, documents(3), output(), false);
    assertThat(again.upToDate()).isFalse();
    assertThat(again.manifest().contentHash()).isEqualTo(first.contentHash());
  }

  @Test
  void aLargeCorpusIsSampledByDocument() {
    TokenizerConfig sampled = new TokenizerConfig(450, 0.98, 16, true, List.of(), 5000);
    SegmentSplitter splitter = new SegmentSplitter(new PieceRules(16, true), List.of());
    SegmentCounter counter = new SegmentCounter(splitter, sampled.sampleCharacters(), 7);
    SegmentCounts one = counter.count(documents(1));
    long characters = one.characters().values().stream().mapToLong(Long::longValue).sum();
    assertThat(characters).isBetween(3000L, 7000L);
    assertThat(counter.count(documents(6)).sorted()).isEqualTo(one.sorted());
  }

  @Test
  void unreadableRecordsTeachNothing() {
    SegmentSplitter splitter = new SegmentSplitter(new PieceRules(16, true), List.of());
    SegmentCounter counter = new SegmentCounter(splitter, Long.MAX_VALUE, 7);
    Document broken =
        Documents.unreadable("x", "s", "p", "{oops", Documents.BROKEN_RECORD, "no closing brace");
    Dataset<Row> more =
        documents(1)
            .union(spark.createDataFrame(List.of(Documents.toRow(broken)), Documents.SCHEMA));
    assertThat(counter.count(more).sorted()).isEqualTo(counter.count(documents(1)).sorted());
  }

  @Test
  void aDirectoryWithSomethingElseIsRefused() {
    TokenizeStage tokenize =
        new TokenizeStage(
            spark, TestModels.tokenizer("▁", "a"), TokenizeConfig.of(0, 1000, true), 42);
    tokenize.write(SplitInputs.of(inputs, documents(1), 0), output());
    assertThatThrownBy(
            () -> new TrainTokenizerStage(spark, CONFIG, 42).write(inputs, documents(1), output()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith(
            "out: holds tokens, wanted an empty directory or a tokenizer; choose another output");
  }
}
