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
  private static final TokenizerConfig CONFIG = TokenizerConfig.ofSize(700);

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

  private TrainTokenizerStage stage(TokenizerConfig config) {
    return new TrainTokenizerStage(spark, config, 42, 0.05);
  }

  private String output() {
    return folder.resolve("out").toString();
  }

  @Test
  void countingOnSparkGivesTheVocabularyOfCountingAtHand() throws IOException {
    stage(CONFIG).write(inputs, documents(5), output());
    SentencePieceModel atHand =
        TrainingAtHand.train(CONFIG, DOCUMENTS.stream().map(Document::text).toList());
    assertThat(Files.readAllBytes(folder.resolve("out/tokenizer.model")))
        .isEqualTo(atHand.toBytes());
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
    TrainTokenizerStage stage = stage(CONFIG);
    Manifest first = stage.run(inputs, documents(2), output(), false).manifest();
    assertThat(first.counts()).containsEntry("pieces", 700L);
    assertThat(stage.run(inputs, documents(2), output(), false).upToDate()).isTrue();
    Files.writeString(folder.resolve("out/tokenizer.vocab"), "<unk>\t0\n");
    TrainTokenizerStage.Result again = stage.run(inputs, documents(3), output(), false);
    assertThat(again.upToDate()).isFalse();
    assertThat(again.manifest().contentHash()).isEqualTo(first.contentHash());
  }

  @Test
  void theVocabularyDoesNotDependOnPartitions() throws IOException {
    stage(CONFIG).write(inputs, documents(1), output());
    byte[] one = Files.readAllBytes(folder.resolve("out/tokenizer.model"));
    stage(CONFIG).write(inputs, documents(9), output());
    assertThat(Files.readAllBytes(folder.resolve("out/tokenizer.model"))).isEqualTo(one);
  }

  @Test
  void aDirectoryWithSomethingElseIsRefused() {
    TokenizeStage tokenize =
        new TokenizeStage(
            spark, TestModels.tokenizer("▁", "a"), TokenizeConfig.of(0, 1000, true), 42);
    tokenize.write(SplitInputs.of(inputs, documents(1), 0), output());
    assertThatThrownBy(() -> stage(CONFIG).write(inputs, documents(1), output()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith(
            "out: holds tokens, wanted an empty directory or a tokenizer; choose another output");
  }
}
