package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenShards;
import caravan.pipeline.shard.TokenType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizeStageSparkTest {
  private static final TokenizeConfig CONFIG = TokenizeConfig.of(0.2, 1500, true);
  private static final List<Document> DOCUMENTS =
      IntStream.range(0, 200)
          .mapToObj(
              i ->
                  new Document(
                      "doc-" + i,
                      i % 2 == 0 ? "web" : "books",
                      "p",
                      "en",
                      "hello 中国 𠮷 document " + "a ".repeat(i % 17) + i,
                      Map.of()))
          .toList();

  private final SparkSession spark = TestSpark.session();
  private final Configuration conf = spark.sparkContext().hadoopConfiguration();
  private final SentencePieceTokenizer tokenizer =
      TestModels.tokenizer("▁a", "▁h", "el", "▁", "a", "h", "e", "l", "o", "中", "国", "d");

  @TempDir Path folder;
  private Inputs inputs;

  @BeforeEach
  void anInputFile() throws IOException {
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    inputs = Inputs.resolve(conf, folder.resolve("input.jsonl").toString());
  }

  private static JavaRDD<DocumentIterator> documents(int partitions) {
    return TestDocuments.readers(DOCUMENTS, partitions);
  }

  private Manifest tokenize(String output, int partitions, TokenizeConfig config, long seed) {
    return new TokenizeStage(spark, tokenizer, config, seed)
        .write(SplitInputs.of(inputs, documents(partitions), 0), folder.resolve(output).toString());
  }

  private org.apache.hadoop.fs.Path path(String output) {
    return new org.apache.hadoop.fs.Path(folder.resolve(output).toString());
  }

  @Test
  void everyDocumentLiesInOneShardBetweenBosAndEosAndProvenanceSaysWhere() throws IOException {
    Manifest manifest = tokenize("out", 3, CONFIG, 42);
    TokenManifest tokens = TokenManifest.read(conf, path("out"));
    Map<String, Document> byId = new java.util.HashMap<>();
    DOCUMENTS.forEach(d -> byId.put(d.id(), d));
    Dataset<Row> provenance = spark.read().parquet(folder.resolve("out/provenance").toString());
    assertThat(provenance.columns()).containsExactly("shard", "start", "end", "id", "source");
    List<Row> rows = provenance.collectAsList();
    assertThat(rows).hasSize(200);
    Set<String> seen = new HashSet<>();
    for (Row row : rows) {
      Shard shard =
          tokens.shards().stream().filter(s -> s.name().equals(row.getAs("shard"))).findAny().get();
      try (ShardReader reader = new ShardReader(conf, path("out"), shard, tokens.dtype())) {
        long start = row.getAs("start");
        long end = row.getAs("end");
        int[] ids = new int[(int) (end - start)];
        reader.read(start, ids);
        assertThat(ids[0]).isEqualTo(tokenizer.bosId());
        assertThat(ids[ids.length - 1]).isEqualTo(tokenizer.eosId());
        Document document = byId.get(row.<String>getAs("id"));
        assertThat(tokenizer.decode(ids)).isEqualTo(document.text());
        assertThat(row.<String>getAs("source")).isEqualTo(document.source());
        seen.add(document.id());
      }
    }
    assertThat(seen).hasSize(200);
    assertThat(manifest.counts()).containsEntry("documents", 200L);
    assertThat(manifest.counts().get("validationDocuments")).isBetween(20L, 60L);
    assertThat(manifest.counts().get("trainTokens") + manifest.counts().get("validationTokens"))
        .isEqualTo(manifest.counts().get("tokens"));
    assertThat(tokens.shards("train")).hasSizeGreaterThan(2);
    assertThat(tokens.shards("train").get(0).tokens())
        .isGreaterThanOrEqualTo(1500)
        .isLessThan(1700);
  }

  @Test
  void theFilesAreBareLittleEndianIdsAndInt64Bounds() throws IOException {
    tokenize("out", 2, CONFIG, 42);
    TokenManifest tokens = TokenManifest.read(conf, path("out"));
    assertThat(tokens.dtype()).isEqualTo(TokenType.UINT16);
    Shard shard = tokens.shards("train").get(0);
    ByteBuffer bin = littleEndian("out/train/shard-00000.bin");
    ByteBuffer bounds = littleEndian("out/train/shard-00000.bounds");
    assertThat(bin.remaining()).isEqualTo(2 * shard.tokens());
    assertThat(bounds.remaining()).isEqualTo(8 * shard.documents());
    assertThat(bounds.getLong(bounds.limit() - 8)).isEqualTo(shard.tokens());
    assertThat(bin.getShort(0)).isEqualTo((short) 1);
    assertThat(bin.getShort((int) bounds.getLong(0) * 2 - 2)).isEqualTo((short) 2);
    assertThat(bin.getShort((int) bounds.getLong(0) * 2)).isEqualTo((short) 1);
  }

  private ByteBuffer littleEndian(String file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(folder.resolve(file))).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void theSameDocumentsInOtherPartitionsGiveTheSameBytesAndAnotherSeedAnotherOrder()
      throws IOException {
    Manifest one = tokenize("one", 1, CONFIG, 42);
    Manifest other = tokenize("other", 7, CONFIG, 42);
    Manifest reseeded = tokenize("reseeded", 1, CONFIG, 43);
    assertThat(other.files()).isEqualTo(one.files());
    assertThat(other.contentHash()).isEqualTo(one.contentHash());
    assertThat(reseeded.contentHash()).isNotEqualTo(one.contentHash());
    assertThat(reseeded.counts()).isEqualTo(one.counts());
    assertThat(one.files()).hasSize(3 * TokenManifest.of(one).shards().size() + 1);
    for (Manifest.OutputFile file : one.files()) {
      assertThat(folder.resolve("one").resolve(file.path()))
          .hasSameBinaryContentAs(folder.resolve("other").resolve(file.path()));
    }
    one.checkHashes(conf, path("one"));
  }

  @Test
  void aSplitReadsAcrossItsShards() throws IOException {
    tokenize("out", 2, CONFIG, 42);
    try (TokenShards train = new TokenShards(conf, path("out"), TokenManifest.TRAIN)) {
      int[] all = new int[(int) train.tokens()];
      train.read(0, all);
      List<Integer> oneByOne = new ArrayList<>();
      for (ShardReader shard : train.shards()) {
        for (int i = 0; i < shard.documents(); i++) {
          for (int id : shard.document(i)) oneByOne.add(id);
        }
      }
      assertThat(all).containsExactly(oneByOne.stream().mapToInt(i -> i).toArray());
      int[] window = new int[3000];
      train.read(1400, window);
      assertThat(window).isEqualTo(java.util.Arrays.copyOfRange(all, 1400, 4400));
      assertThatThrownBy(() -> train.read(train.tokens() - 10, new int[11]))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageStartingWith("train: tokens ");
    }
  }

  @Test
  void equalTextsNeverLieOnBothSides() throws IOException {
    List<Document> twins =
        DOCUMENTS.stream()
            .flatMap(
                d ->
                    Stream.of("x-", "y-")
                        .map(p -> new Document(p + d.id(), "s", "p", "en", d.text(), Map.of())))
            .toList();
    Manifest manifest =
        new TokenizeStage(spark, tokenizer, CONFIG, 1)
            .write(
                SplitInputs.of(inputs, TestDocuments.readers(twins, 2), 0),
                folder.resolve("out").toString());
    Set<String> train = texts("out", TokenManifest.TRAIN);
    assertThat(texts("out", TokenManifest.VALIDATION))
        .isNotEmpty()
        .doesNotContainAnyElementsOf(train);
    assertThat(manifest.counts().get("validationDocuments") % 2).isZero();
  }

  private Set<String> texts(String output, String split) throws IOException {
    Set<String> texts = new HashSet<>();
    try (TokenShards shards = new TokenShards(conf, path(output), split)) {
      for (ShardReader shard : shards.shards()) {
        for (int i = 0; i < shard.documents(); i++) texts.add(tokenizer.decode(shard.document(i)));
      }
    }
    return texts;
  }

  @Test
  void withoutEosTheStreamHasBosAlone() throws IOException {
    tokenize("out", 2, TokenizeConfig.of(0, 1 << 20, false), 42);
    try (TokenShards train = new TokenShards(conf, path("out"), TokenManifest.TRAIN)) {
      assertThat(train.documents()).isEqualTo(200);
      int[] all = new int[(int) train.tokens()];
      train.read(0, all);
      assertThat(all).doesNotContain(tokenizer.eosId()).startsWith(tokenizer.bosId());
    }
  }

  @Test
  void aValidOutputIsLeftAloneAndAnythingElseIsWrittenAgain() throws IOException {
    String output = folder.resolve("out").toString();
    TokenizeStage stage = new TokenizeStage(spark, tokenizer, CONFIG, 42);
    assertThat(stage.run(SplitInputs.of(inputs, documents(2), 0), output, false).upToDate())
        .isFalse();
    assertThat(stage.run(SplitInputs.of(inputs, documents(2), 0), output, false).upToDate())
        .isTrue();
    assertThat(stage.run(SplitInputs.of(inputs, documents(2), 0), output, true).upToDate())
        .isFalse();
    assertThat(
            new TokenizeStage(spark, tokenizer, CONFIG, 43)
                .upToDate(SplitInputs.of(inputs, documents(2), 0), output))
        .isEmpty();
    assertThat(
            new TokenizeStage(spark, TestModels.tokenizer("▁", "h"), CONFIG, 42)
                .upToDate(SplitInputs.of(inputs, documents(2), 0), output))
        .isEmpty();
    assertThat(folder.resolve("out/tokenizer.model")).hasBinaryContent(tokenizer.toBytes());
    truncate("out/train/shard-00001.bin", 2);
    assertThat(stage.run(SplitInputs.of(inputs, documents(2), 0), output, false).upToDate())
        .isFalse();
    assertThat(stage.run(SplitInputs.of(inputs, documents(2), 0), output, false).upToDate())
        .isTrue();
  }

  private void truncate(String file, int bytes) throws IOException {
    try (FileChannel channel = FileChannel.open(folder.resolve(file), StandardOpenOption.WRITE)) {
      channel.truncate(channel.size() - bytes);
    }
  }

  @Test
  void aTruncatedShardIsRefusedByName() throws IOException {
    tokenize("out", 2, CONFIG, 42);
    Shard shard = TokenManifest.read(conf, path("out")).shards("train").get(1);
    truncate("out/train/shard-00001.bin", 4);
    assertThatThrownBy(() -> new TokenShards(conf, path("out"), TokenManifest.TRAIN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            String.format(
                "shard 00001: %,d tokens, manifest says %,d; re-run tokenize (",
                shard.tokens() - 2, shard.tokens()));
    Files.delete(folder.resolve("out/train/shard-00000.bounds"));
    assertThatThrownBy(() -> new TokenShards(conf, path("out"), TokenManifest.TRAIN))
        .hasMessageEndingWith(
            "train/shard-00000.bounds: missing, the manifest lists it; re-run tokenize");
  }

  @Test
  void leftoversOfAFailedRunNeverPassForShards() throws IOException {
    tokenize("out", 2, TokenizeConfig.of(0.2, 500, true), 42);
    Files.delete(folder.resolve("out/manifest.json"));
    assertThatThrownBy(() -> new TokenShards(conf, path("out"), TokenManifest.TRAIN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith("no manifest.json, so no finished token shards; run tokenize");
    Manifest manifest = tokenize("out", 2, TokenizeConfig.of(0.2, 100_000, true), 42);
    try (Stream<Path> files = Files.walk(folder.resolve("out"))) {
      assertThat(files.filter(Files::isRegularFile)).hasSize(manifest.files().size() + 1);
    }
  }

  @Test
  void aDirectoryWithOtherThingsIsNotTouched() throws IOException {
    Files.createDirectories(folder.resolve("out"));
    Files.writeString(folder.resolve("out/thesis.txt"), "years of work");
    assertThatThrownBy(() -> tokenize("out", 2, CONFIG, 42))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith(
            "out: holds thesis.txt, wanted an empty directory or token shards; choose another"
                + " output");
    assertThat(folder.resolve("out/thesis.txt")).hasContent("years of work");
  }

  @Test
  void noDocumentForTrainingIsRefused() {
    JavaRDD<DocumentIterator> none = TestDocuments.readers(List.of(), 1);
    assertThatThrownBy(
            () ->
                new TokenizeStage(spark, tokenizer, CONFIG, 42)
                    .write(SplitInputs.of(inputs, none, 0), folder.resolve("out").toString()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "got 0 records, of them 0 for validation, 0 for test, 0 with a text that is held out, 0"
                + " unreadable; give more documents");
  }

  @Test
  void shardsOfAnotherTokenizerOrForASmallerModelAreRefused() {
    tokenize("out", 2, CONFIG, 42);
    TokenManifest manifest = TokenManifest.read(conf, path("out"));
    manifest.requireTokenizer(tokenizer);
    manifest.requireModelVocabulary(271);
    assertThatThrownBy(() -> manifest.requireTokenizer(TestModels.tokenizer("▁", "h")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("token shards: made with tokenizer sha256 ")
        .hasMessageContaining("(271 pieces), got tokenizer sha256 ")
        .hasMessageEndingWith(
            "(261 pieces); re-run tokenize with this tokenizer, or use the other");
    assertThatThrownBy(() -> manifest.requireModelVocabulary(256))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "token shards: ids up to 270, the model has embeddings for 256; set"
                + " model.vocab-size=271, or re-run tokenize with the model's own tokenizer");
  }
}
