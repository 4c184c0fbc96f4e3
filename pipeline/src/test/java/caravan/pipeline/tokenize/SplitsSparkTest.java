package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import caravan.pipeline.shard.ShardFormat;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.SourceShare;
import caravan.pipeline.shard.TokenShards;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Splits, held-out inputs and mixtures on corpora whose results are spelled out. */
class SplitsSparkTest {
  private final SparkSession spark = TestSpark.session();
  private final SentencePieceTokenizer tokenizer = TestModels.tokenizer("▁", "a", "b", "中");

  @TempDir Path folder;
  private Inputs inputs;

  @BeforeEach
  void anInputFile() throws IOException {
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    inputs =
        Inputs.resolve(
            spark.sparkContext().hadoopConfiguration(), folder.resolve("input.jsonl").toString());
  }

  private static Document document(String id, String source, String language, String text) {
    return new Document(id, source, "p", language, text, Map.of());
  }

  private static JavaRDD<DocumentIterator> readers(Stream<Document> documents) {
    return TestDocuments.readers(documents.toList(), 1);
  }

  private static JavaRDD<DocumentIterator> readers(Document... documents) {
    return readers(Stream.of(documents));
  }

  private static TokenizeConfig config(double validation, double test, MixtureRule... mixture) {
    return new TokenizeConfig(
        validation,
        test,
        List.of(),
        List.of(),
        List.of(mixture),
        100_000,
        true,
        Encoder.SPARK_NLP,
        ShardFormat.CARAVAN);
  }

  private Manifest write(String output, TokenizeConfig config, SplitInputs inputs) {
    return new TokenizeStage(spark, tokenizer, config, 42)
        .write(inputs, folder.resolve(output).toString());
  }

  private List<String> texts(String output, String split) throws IOException {
    List<String> texts = new ArrayList<>();
    try (TokenShards shards =
        new TokenShards(
            spark.sparkContext().hadoopConfiguration(),
            new org.apache.hadoop.fs.Path(folder.resolve(output).toString()),
            split)) {
      for (ShardReader shard : shards.shards()) {
        for (int i = 0; i < shard.documents(); i++) {
          texts.add(tokenizer.decode(shard.document(i)));
        }
      }
    }
    return texts;
  }

  @Test
  void everySplitKeepsItsDocumentsWhenTheCorpusGrowsAndMoves() throws IOException {
    List<Document> small =
        IntStream.range(0, 100).mapToObj(i -> document("d" + i, "web", "zh", "中 a " + i)).toList();
    Stream<Document> grownAndMoved =
        Stream.concat(
            small.stream().map(d -> document("new-" + d.id(), "moved", "zh", d.text())),
            IntStream.range(0, 50).mapToObj(i -> document("e" + i, "web", "en", "b " + i)));
    TokenizeConfig config = config(0.2, 0.1);
    Manifest manifest = write("one", config, SplitInputs.of(inputs, readers(small.stream()), 0));
    write("other", config, SplitInputs.of(inputs, readers(grownAndMoved), 0));
    Set<String> known = small.stream().map(Document::text).collect(Collectors.toSet());
    for (String split : TokenManifest.SPLITS) {
      Set<String> after = new HashSet<>(texts("other", split));
      after.retainAll(known);
      assertThat(after).as(split).isNotEmpty().isEqualTo(Set.copyOf(texts("one", split)));
    }
    assertThat(manifest.files())
        .extracting(Manifest.OutputFile::path)
        .contains(
            "test/shard-00000.bin", "test/shard-00000.bounds", "provenance/test-00000.parquet");
    assertThat(manifest.counts().get("testDocuments")).isBetween(3L, 20L);
  }

  @Test
  void aHeldOutTextIsInItsOwnSplitAlone() throws IOException {
    SplitInputs split =
        SplitInputs.of(
                inputs,
                readers(
                    document("1", "web", "en", "a a"),
                    document("2", "web", "en", "b  b\n"),
                    document("3", "web", "en", "a b"),
                    document("4", "web", "en", "b a")),
                0)
            .with(
                TokenManifest.VALIDATION,
                inputs,
                readers(
                    document("v1", "held", "en", "b b"),
                    document("v2", "held", "en", "a b"),
                    document("v3", "held", "en", "aaa")))
            .with(TokenManifest.TEST, inputs, readers(document("t1", "held", "en", "a b")));
    Manifest manifest = write("out", config(0, 0), split);
    assertThat(texts("out", "train")).containsExactlyInAnyOrder("a a", "b a");
    assertThat(texts("out", "validation")).containsExactlyInAnyOrder("b b", "aaa");
    assertThat(texts("out", "test")).containsExactly("a b");
    assertThat(manifest.counts())
        .containsEntry("documents", 5L)
        .containsEntry("trainDocuments", 2L)
        .containsEntry("validationDocuments", 2L)
        .containsEntry("testDocuments", 1L)
        .containsEntry("excludedInValidation", 1L)
        .containsEntry("excludedInTest", 2L);
  }

  @Test
  void trainingAloneIsMixedAndTheManifestSaysHow() throws IOException {
    Stream<Document> wiki =
        IntStream.range(0, 200).mapToObj(i -> document("w" + i, "wiki", "zh", "中 " + i));
    Stream<Document> web =
        IntStream.range(0, 30).mapToObj(i -> document("e" + i, "web", "en", "a " + i));
    Stream<Document> ads =
        IntStream.range(0, 10).mapToObj(i -> document("x" + i, "ads", "en", "b " + i));
    List<Document> all = Stream.of(wiki, web, ads).flatMap(s -> s).toList();
    JavaRDD<DocumentIterator> read = TestDocuments.readers(all, 5);
    TokenizeConfig mixed =
        config(
            0.2,
            0,
            new MixtureRule("wiki", "zh", 2.5, null),
            new MixtureRule("ads", null, 0.0, null));
    write("plain", config(0.2, 0), SplitInputs.of(inputs, read, 0));
    Manifest manifest = write("mixed", mixed, SplitInputs.of(inputs, read, 0));
    Manifest again =
        write("again", mixed, SplitInputs.of(inputs, TestDocuments.readers(all, 2), 0));
    assertThat(again.files()).isEqualTo(manifest.files());
    assertThat(texts("mixed", "validation")).isEqualTo(texts("plain", "validation"));
    Map<String, Long> copies =
        texts("mixed", "train").stream()
            .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    List<String> plain = texts("plain", "train");
    long three = 0;
    for (String text : plain) {
      switch (text.charAt(0)) {
        case 'a' -> assertThat(copies.get(text)).as(text).isEqualTo(1);
        case 'b' -> assertThat(copies).doesNotContainKey(text);
        default -> assertThat(copies.get(text)).as(text).isBetween(2L, 3L);
      }
      three += copies.getOrDefault(text, 0L) == 3 ? 1 : 0;
    }
    List<SourceShare> sources = TokenManifest.of(manifest).sources();
    assertThat(sources).extracting(SourceShare::source).containsExactly("ads", "web", "wiki");
    assertThat(sources.get(0))
        .returns(0.0, SourceShare::epochs)
        .returns(0L, SourceShare::writtenDocuments)
        .returns(0.0, SourceShare::effectiveEpochs);
    assertThat(sources.get(1)).returns(1.0, SourceShare::effectiveEpochs);
    SourceShare wikiShare = sources.get(2);
    assertThat(wikiShare.epochs()).isEqualTo(2.5);
    assertThat(wikiShare.documents())
        .isEqualTo(plain.stream().filter(t -> t.startsWith("中")).count());
    assertThat(wikiShare.writtenDocuments()).isEqualTo(2 * wikiShare.documents() + three);
    assertThat(wikiShare.effectiveEpochs()).isBetween(2.35, 2.65);
    assertThat(manifest.extra().toString()).contains("effectiveEpochs=");
    long train = sources.stream().mapToLong(SourceShare::writtenTokens).sum();
    assertThat(manifest.counts()).containsEntry("trainTokens", train);
  }

  @Test
  void aMixtureOfAnUnknownSourceIsRefusedWithTheKnownOnes() {
    assertThatThrownBy(
            () ->
                write(
                    "out",
                    config(0, 0, new MixtureRule("wikipedia", null, 2.0, null)),
                    SplitInputs.of(inputs, readers(document("1", "wiki", "", "a a")), 0)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "tokenize.mixture: source wikipedia: no training document is of it. There are wiki,"
                + " language not identified (6 tokens)");
    assertThat(folder.resolve("out/manifest.json")).doesNotExist();
  }

  @Test
  void unreadableRecordsAreNotTokenizedButCountedAndBounded() throws IOException {
    JavaRDD<DocumentIterator> read =
        readers(
            document("1", "web", "en", "a a"),
            Documents.unreadable("2", "web", "p", "{", Documents.BROKEN_RECORD, "no closing brace"),
            Documents.unreadable("3", "web", "a", "#", Documents.REDIRECT, "to another page"));
    Manifest manifest = write("out", config(0, 0), SplitInputs.of(inputs, read, 0.5));
    assertThat(texts("out", "train")).containsExactly("a a");
    assertThat(manifest.counts())
        .containsEntry("unreadable", 1L)
        .containsEntry("putAside", 1L)
        .containsEntry("documents", 1L);
    assertThatThrownBy(() -> write("no", config(0, 0), SplitInputs.of(inputs, read, 0.3)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "1 of 3 records are unreadable, wanted at most 0.3 of them; for example p: no closing"
                + " brace. Check read.format and the field names, or raise"
                + " read.max-broken-fraction");
  }
}
