package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import caravan.pipeline.shard.ShardFormat;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenShards;
import caravan.pipeline.shard.TokenType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardFormatsSparkTest {
  private static final TokenizeConfig CONFIG = TokenizeConfig.of(0.2, 1500, true);
  private static final List<Document> DOCUMENTS = MixedText.documents(200, 4);

  private final SparkSession spark = TestSpark.session();
  private final Configuration conf = spark.sparkContext().hadoopConfiguration();
  private final SentencePiece tokenizer =
      TestModels.tokenizer("▁t", "he", "in", "的", "天气", "▁", "😀", "e", "t", "h");

  @TempDir Path folder;
  private Inputs inputs;

  @BeforeEach
  void anInputFile() throws IOException {
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    inputs = Inputs.resolve(conf, folder.resolve("input.jsonl").toString());
  }

  private Manifest tokenize(String output, SentencePiece pieces, TokenizeConfig config) {
    return new TokenizeStage(spark, pieces, config, 42)
        .write(
            SplitInputs.of(inputs, TestDocuments.readers(DOCUMENTS, 1), 0),
            folder.resolve(output).toString());
  }

  private ByteBuffer littleEndian(String file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(folder.resolve(file))).order(ByteOrder.LITTLE_ENDIAN);
  }

  private org.apache.hadoop.fs.Path path(String output) {
    return new org.apache.hadoop.fs.Path(folder.resolve(output).toString());
  }

  @Test
  void everyEncoderWritesTheSameBytesAndTheManifestSaysWhichItWas() throws IOException {
    Manifest oracle = tokenize("oracle", tokenizer, CONFIG);
    TokenizeConfig config = CONFIG.with(Encoder.FAST, ShardFormat.CARAVAN);
    Manifest fast =
        tokenize("fast", Encoder.FAST.open(tokenizer.toBytes(), "tokenizer.model"), config);
    assertThat(fast.files()).isEqualTo(oracle.files());
    assertThat(fast.contentHash()).isEqualTo(oracle.contentHash());
    assertThat(fast.configHash()).isNotEqualTo(oracle.configHash());
    assertThat(TokenManifest.of(fast).encoder()).isEqualTo("fast");
    assertThat(TokenManifest.of(oracle).encoder()).isEqualTo("spark_nlp");
  }

  @Test
  void megatronsIndexNamesEachDocumentsLengthAndPlace() throws IOException {
    Manifest plain = tokenize("plain", tokenizer, CONFIG);
    Manifest manifest = tokenize("out", tokenizer, CONFIG.with(Encoder.FAST, ShardFormat.MEGATRON));
    assertThat(manifest.contentHash()).isEqualTo(plain.contentHash());
    for (TokenManifest.Shard shard : TokenManifest.of(manifest).shards()) {
      ByteBuffer index = littleEndian("out/" + shard.indexPath());
      ByteBuffer bounds = littleEndian("out/" + shard.boundsPath());
      int documents = (int) shard.documents();
      byte[] magic = new byte[9];
      index.get(magic);
      assertThat(magic).isEqualTo("MMIDIDX\0\0".getBytes(StandardCharsets.US_ASCII));
      assertThat(index.getLong()).isEqualTo(1);
      assertThat(index.get()).isEqualTo((byte) 8);
      assertThat(index.getLong()).isEqualTo(documents);
      assertThat(index.getLong()).isEqualTo(documents + 1);
      long[] ends = IntStream.range(0, documents).mapToLong(i -> bounds.getLong(8 * i)).toArray();
      for (int i = 0; i < documents; i++) {
        assertThat(index.getInt()).isEqualTo((int) (ends[i] - (i == 0 ? 0 : ends[i - 1])));
      }
      for (int i = 0; i < documents; i++) {
        assertThat(index.getLong()).isEqualTo(i == 0 ? 0 : 2 * ends[i - 1]);
      }
      for (int i = 0; i <= documents; i++) assertThat(index.getLong()).isEqualTo(i);
      assertThat(index.hasRemaining()).isFalse();
    }
    manifest.checkHashes(conf, path("out"));
    try (TokenShards train = new TokenShards(conf, path("out"), TokenManifest.TRAIN)) {
      assertThat(train.tokens()).isEqualTo(manifest.counts().get("trainTokens"));
    }
  }

  @Test
  void llama2cFindsValidationInTheFirstFileAndBosAlone() throws IOException {
    Manifest manifest = tokenize("out", tokenizer, CONFIG.with(Encoder.FAST, ShardFormat.LLAMA2C));
    TokenManifest tokens = TokenManifest.of(manifest);
    String data = "tok" + tokenizer.vocabSize();
    assertThat(tokens.shards(TokenManifest.VALIDATION))
        .extracting(TokenManifest.Shard::name)
        .containsExactly(data + "/data00000");
    assertThat(tokens.shards(TokenManifest.TRAIN).get(0).name()).isEqualTo(data + "/data00001");
    try (Stream<Path> files = Files.list(folder.resolve("out").resolve(data))) {
      assertThat(files.filter(f -> f.toString().endsWith(".bin"))).hasSize(tokens.shards().size());
    }
    assertThat(tokens.eos()).isFalse();
    for (TokenManifest.Shard shard : tokens.shards()) {
      ByteBuffer ids = littleEndian("out/" + shard.tokensPath());
      assertThat(ids.getShort(0)).isEqualTo((short) 1);
      long begins = 0;
      while (ids.hasRemaining()) {
        int id = Short.toUnsignedInt(ids.getShort());
        assertThat(id).isNotEqualTo(2);
        if (id == 1) begins++;
      }
      assertThat(begins).isEqualTo(shard.documents());
    }
    try (TokenShards train = new TokenShards(conf, path("out"), TokenManifest.TRAIN)) {
      int[] first = train.shards().get(0).document(0);
      assertThat(DOCUMENTS).extracting(Document::text).contains(tokenizer.decode(first));
    }
  }

  @Test
  void anotherFormatLeavesNothingOfTheOneBefore() throws IOException {
    tokenize("out", tokenizer, CONFIG.with(Encoder.FAST, ShardFormat.MEGATRON));
    Manifest manifest = tokenize("out", tokenizer, CONFIG.with(Encoder.FAST, ShardFormat.LLAMA2C));
    try (Stream<Path> files = Files.walk(folder.resolve("out"))) {
      assertThat(files.filter(Files::isRegularFile)).hasSize(manifest.files().size() + 1);
    }
  }

  @Test
  void moreThan65536IdsAreWrittenInFourBytes() throws IOException {
    String[] pieces =
        IntStream.range(0, 65_536 - TestModels.FIRST + 1)
            .mapToObj(i -> i == 65_536 - TestModels.FIRST ? "天气" : "▁" + Integer.toString(i, 36))
            .toArray(String[]::new);
    SentencePiece large = Encoder.FAST.open(TestModels.model(pieces).toBytes(), "large.model");
    assertThat(large.vocabSize()).isEqualTo(65_537);
    Manifest manifest = tokenize("out", large, CONFIG.with(Encoder.FAST, ShardFormat.MEGATRON));
    TokenManifest tokens = TokenManifest.of(manifest);
    assertThat(tokens.dtype()).isEqualTo(TokenType.UINT32);
    TokenManifest.Shard shard = tokens.shards(TokenManifest.TRAIN).get(0);
    assertThat(folder.resolve("out/" + shard.tokensPath())).hasSize(4 * shard.tokens());
    assertThat(littleEndian("out/" + shard.indexPath()).get(17)).isEqualTo((byte) 4);
    assertThatThrownBy(() -> tokenize("no", large, CONFIG.with(Encoder.FAST, ShardFormat.LLAMA2C)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "tokenize.format llama2c: the vocabulary has 65,537 ids, llama2.c's uint16 holds"
                + " 65,536; take a smaller vocabulary or another format");
  }

  @Test
  void llama2cWithoutValidationOrWithATestSplitIsRefused() {
    TokenizeConfig none = TokenizeConfig.of(0, 1500, true).with(Encoder.FAST, ShardFormat.LLAMA2C);
    assertThatThrownBy(() -> tokenize("no", tokenizer, none))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "tokenize.format llama2c: its first file is validation, but none of 200 documents fell"
                + " to it in ")
        .hasMessageEndingWith(
            "raise tokenize.validation-fraction or give tokenize.validation-input");
    TokenizeConfig test =
        new TokenizeConfig(
            0.1,
            0.1,
            List.of(),
            List.of(),
            List.of(),
            1500,
            true,
            Encoder.FAST,
            ShardFormat.LLAMA2C);
    assertThatThrownBy(() -> tokenize("no", tokenizer, test))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "tokenize.format llama2c: it knows training and validation alone, got a test split");
  }

  @Test
  void aTokenizerThatWouldLoseCharactersIsRefused() {
    byte[] model =
        TestModels.model(
                TestModels.spec(SentencePieceModel.ModelType.BPE, false), TestModels.plain())
            .toBytes();
    assertThatThrownBy(
            () ->
                tokenize(
                    "no",
                    Encoder.FAST.open(model, "no-bytes.model"),
                    CONFIG.with(Encoder.FAST, ShardFormat.CARAVAN)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "tokenizer: it has no byte fallback, so that rare characters would be lost");
  }

  @Test
  void aDocumentOfTenMillionCharactersIsWrittenWhole() throws IOException {
    String text = "天气 the 𠮷 ".repeat(700_000) + "l".repeat(2_000_000);
    List<Document> documents = List.of(new Document("big", "s", "p", "zh", text, Map.of()));
    new TokenizeStage(
            spark,
            tokenizer,
            TokenizeConfig.of(0, 1500, true).with(Encoder.FAST, ShardFormat.CARAVAN),
            42)
        .write(
            SplitInputs.of(inputs, TestDocuments.readers(documents, 1), 0),
            folder.resolve("out").toString());
    try (TokenShards train = new TokenShards(conf, path("out"), TokenManifest.TRAIN)) {
      assertThat(tokenizer.decode(train.shards().get(0).document(0)).equals(text)).isTrue();
    }
  }
}
