package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntSupplier;
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

  private TokenizerTrainer.Trained train(TokenizerConfig config, Dataset<Row> documents) {
    return new TokenizerTrainer(config, 42, 0.05).train(inputs, documents);
  }

  private Dataset<Row> rows(List<String> texts) {
    List<Row> rows =
        texts.stream()
            .map(t -> Documents.toRow(new Document(t, "s", "p", "zh", t, Map.of())))
            .toList();
    return spark.createDataFrame(rows, Documents.SCHEMA).repartition(3);
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
  void whenTooFewPairsWereFrequentMoreAreTaken() {
    Random random = new Random(23);
    List<String> texts = texts(40, 60, () -> random.nextInt(100));
    // Nearly all pairs occur once or twice: no cut is safe before all pairs are taken.
    TokenizerConfig config = TokenizerConfig.ofSize(259 + 101 + 450);
    SentencePieceModel model = train(config, rows(texts)).model();
    assertThat(model).isEqualTo(TrainingAtHand.train(config, texts));
  }

  @Test
  void ofTooManySegmentsRareOnesAreSampledAndTheVocabularyIsNearlyTheSame() {
    Random random = new Random(29);
    List<String> texts = texts(300, 100, () -> (int) Math.abs(8 * random.nextGaussian()));
    int size = 259 + 20 + 150;
    TokenizerConfig sampled =
        new TokenizerConfig(
            TokenizerConfig.Kind.BPE, size, 0.99, 16, true, List.of(), List.of(), 10_000);
    TokenizerConfig whole =
        new TokenizerConfig(
            TokenizerConfig.Kind.BPE, size, 0.99, 16, true, List.of(), List.of(), 1_000_000);
    TokenizerTrainer.Trained trained = train(sampled, rows(texts));
    assertThat(trained.sampledBelow()).isGreaterThan(1);
    assertThat(train(sampled, rows(texts).repartition(7)).model()).isEqualTo(trained.model());
    List<String> exact = learned(train(whole, rows(texts)).model());
    assertThat(learned(trained.model())).hasSize(exact.size());
    List<String> same = new ArrayList<>(learned(trained.model()));
    same.retainAll(exact);
    assertThat(same).hasSizeGreaterThan(exact.size() / 2);
  }

  private static List<String> learned(SentencePieceModel model) {
    return model.pieces().stream().skip(259).map(SentencePieceModel.Piece::text).toList();
  }

  /** Chinese of so many documents and characters, by a character's distance from the first. */
  private static List<String> texts(int documents, int characters, IntSupplier next) {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < documents; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = 0; n < characters; n++) text.appendCodePoint('一' + next.getAsInt());
      texts.add(text.toString());
    }
    return texts;
  }

  @Test
  void aCharacterModelIsWrittenAndOpened() throws IOException {
    TokenizerConfig characters =
        new TokenizerConfig(
            TokenizerConfig.Kind.CHAR, 4000, 1, 16, true, List.of(), List.of(), 1000);
    Manifest manifest = stage(characters).write(inputs, documents(3), output());
    SentencePieceModel model =
        SentencePieceModel.parse(
            Files.readAllBytes(folder.resolve("out/tokenizer.model")), "tokenizer.model");
    assertThat(model)
        .isEqualTo(
            TrainingAtHand.train(characters, DOCUMENTS.stream().map(Document::text).toList()));
    assertThat(manifest.counts().get("pieces")).isEqualTo(model.pieces().size());
    assertThat(Files.readAllLines(folder.resolve("out/tokenizer.vocab")).get(259))
        .matches(".\\t-\\d\\.\\d+");
  }

  @Test
  void unreadableRecordsAreCountedTeachNothingAndStopTheRunPastTheBound() {
    Document broken =
        Documents.unreadable("x", "s", "p", "{oops", Documents.BROKEN_RECORD, "no closing brace");
    Document redirect =
        Documents.unreadable("y", "s", "p", "#REDIRECT", Documents.REDIRECT, "to another page");
    List<Row> odd = List.of(Documents.toRow(broken), Documents.toRow(redirect));
    Dataset<Row> more = documents(1).union(spark.createDataFrame(odd, Documents.SCHEMA));
    TokenizerTrainer.Trained trained = train(CONFIG, more);
    assertThat(trained.records()).isEqualTo(122);
    assertThat(trained.unreadable()).isEqualTo(1);
    assertThat(trained.putAside()).isEqualTo(1);
    assertThat(trained.model()).isEqualTo(train(CONFIG, documents(1)).model());
    assertThatThrownBy(() -> new TokenizerTrainer(CONFIG, 42, 0.005).train(inputs, more))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "1 of 122 records are unreadable, wanted at most 0.005 of them; for example p: no"
                + " closing brace. Check read.format and the field names");
  }

  @Test
  void aCorpusWithoutTextIsRefused() {
    for (Dataset<Row> nothing : List.of(documents(1).limit(0), rows(List.of("\0\n", "")))) {
      assertThatThrownBy(() -> stage(CONFIG).write(inputs, nothing, output()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageMatching(
              "input .*input.jsonl: no text in \\d records, of which 0 were put aside .too large, no"
                  + " page., wanted text to learn from; check read.format, text-field and"
                  + " read.max-document-characters");
    }
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void aVocabularyLargerThanTheCorpusFillsIsRefusedAndTheOldOneStays() throws IOException {
    stage(CONFIG).write(inputs, documents(2), output());
    byte[] before = Files.readAllBytes(folder.resolve("out/tokenizer.model"));
    assertThatThrownBy(
            () -> stage(TokenizerConfig.ofSize(100_000)).write(inputs, documents(2), output()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "train-tokenizer.vocab-size: got 100,000, the text gives no more than")
        .hasMessageContaining("lower it or give more text");
    assertThat(Files.readAllBytes(folder.resolve("out/tokenizer.model"))).isEqualTo(before);
    assertThat(stage(CONFIG).upToDate(inputs, output())).isPresent();
  }

  @Test
  void onAFullDiskNothingIsLeftThatPassesForAVocabulary() throws IOException {
    stage(CONFIG).write(inputs, documents(2), output());
    Files.createSymbolicLink(folder.resolve("out/.tokenizer.model.tmp"), Path.of("/dev/full"));
    assertThatThrownBy(() -> stage(CONFIG).write(inputs, documents(2), output()))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageEndingWith("out/tokenizer.model: cannot write it")
        .hasRootCauseMessage("No space left on device");
    assertThat(folder.resolve("out/tokenizer.model")).doesNotExist();
    assertThat(folder.resolve("out/manifest.json")).doesNotExist();
  }

  @Test
  void aDirectoryWithSomethingElseIsRefused() {
    TokenizeStage tokenize =
        new TokenizeStage(
            spark, TestModels.tokenizer("▁", "a"), TokenizeConfig.of(0, 1000, true), 42);
    tokenize.write(SplitInputs.of(inputs, TestDocuments.readers(DOCUMENTS, 1), 0), output());
    assertThatThrownBy(() -> stage(CONFIG).write(inputs, documents(1), output()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith(
            "out: holds tokens, wanted an empty directory or a tokenizer; choose another output");
  }
}
