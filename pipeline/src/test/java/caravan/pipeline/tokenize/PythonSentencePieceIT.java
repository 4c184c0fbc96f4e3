package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Python's sentencepiece and numpy read what is made here. */
class PythonSentencePieceIT {
  private static final List<Document> DOCUMENTS = MixedText.documents(200, 2);
  private static final List<String> LINES = MixedText.lines(10_000, 3);

  @TempDir static Path folder;
  private static SentencePieceTokenizer tokenizer;
  private static JsonNode python;
  private static JsonNode transformers;

  @BeforeAll
  static void trainTokenizeAndRead() throws Exception {
    SparkSession spark = TestSpark.session();
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    Inputs inputs =
        Inputs.resolve(
            spark.sparkContext().hadoopConfiguration(), folder.resolve("input.jsonl").toString());
    Dataset<Row> documents =
        spark.createDataFrame(DOCUMENTS.stream().map(Documents::toRow).toList(), Documents.SCHEMA);
    // A coverage of 0.998 leaves some characters to bytes, and some emoji in pieces.
    new TrainTokenizerStage(
            spark,
            new TokenizerConfig(
                TokenizerConfig.Kind.BPE,
                800,
                0.998,
                16,
                true,
                List.of("<|system|>"),
                List.of("<|end|>"),
                1_000_000),
            42,
            0)
        .write(inputs, documents, folder.resolve("tokenizer").toString());
    new TrainTokenizerStage(
            spark,
            new TokenizerConfig(
                TokenizerConfig.Kind.CHAR,
                800,
                0.99,
                16,
                true,
                List.of(),
                List.of("<|end|>"),
                1_000_000),
            42,
            0)
        .write(inputs, documents, folder.resolve("characters").toString());
    tokenizer = SentencePieceTokenizer.read(folder.resolve("tokenizer/tokenizer.model"));
    new TokenizeStage(spark, tokenizer, TokenizeConfig.of(0.1, 4000, true), 42)
        .write(
            SplitInputs.of(inputs, TestDocuments.readers(DOCUMENTS, 1), 0),
            folder.resolve("tokens").toString());
    Files.write(folder.resolve("lines.json"), Json.bytes(LINES));
    String model = folder.resolve("tokenizer/tokenizer.model").toString();
    String lines = folder.resolve("lines.json").toString();
    python =
        python(
            "text",
            "read_shards",
            model,
            folder.resolve("characters/tokenizer.model").toString(),
            lines,
            folder.resolve("tokens").toString());
    transformers =
        python("transformers", "transformers_ids", folder.resolve("tokenizer").toString(), lines);
  }

  /** What a script says in an environment of {@code jobs/python}. */
  private static JsonNode python(String environment, String script, String... arguments)
      throws Exception {
    Path jobs = Path.of(System.getProperty("caravan.root"), "jobs");
    String packages = jobs.resolve("python/" + environment + ".txt").toString();
    String venv = run(jobs.resolve("venv").toString(), packages).strip();
    List<String> command = new ArrayList<>();
    command.add(Path.of(venv, "bin", "python").toString());
    command.add(
        Path.of(PythonSentencePieceIT.class.getResource("/" + script + ".py").toURI()).toString());
    command.addAll(List.of(arguments));
    return Json.MAPPER.readTree(run(command.toArray(String[]::new)));
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(String.join(" ", command)).isZero();
    return output;
  }

  @Test
  void pythonOpensTheTrainedModel() {
    assertThat(python.get("vocabSize").asInt()).isEqualTo(800);
    assertThat(python.get("special").toString().replaceAll("\\s", "")).isEqualTo("[0,1,2,-1]");
    assertThat(python.get("bytes").get(0).asText()).isEqualTo("<0x00>");
    assertThat(python.get("bytes").get(1).asText()).isEqualTo("<0xFF>");
  }

  @Test
  void pythonEncodesEveryLineToTheSameIds() {
    int beyondTheBasicPlane = 0;
    for (int i = 0; i < LINES.size(); i++) {
      int[] ids = Json.MAPPER.convertValue(python.get("ids").get(i), int[].class);
      assertThat(tokenizer.encode(LINES.get(i))).as(LINES.get(i)).isEqualTo(ids);
      if (LINES.get(i).codePoints().anyMatch(c -> c > 0xFFFF)) beyondTheBasicPlane++;
    }
    assertThat(beyondTheBasicPlane).isGreaterThan(500);
  }

  @Test
  void pythonEncodesByACharacterModelToTheSameIds() throws IOException {
    SentencePieceTokenizer characters =
        SentencePieceTokenizer.read(folder.resolve("characters/tokenizer.model"));
    for (int i = 0; i < LINES.size(); i++) {
      int[] ids = Json.MAPPER.convertValue(python.get("characterIds").get(i), int[].class);
      assertThat(characters.encode(LINES.get(i))).as(LINES.get(i)).isEqualTo(ids);
    }
    assertThat(characters.encode("a<|end|>")).hasSize(3).endsWith(259);
  }

  /** Its Llama tokenizers put no space before a text that begins with one. */
  @Test
  void transformersEncodesEveryLineToTheSameIds() {
    assertThat(transformers.get("size").asInt()).isEqualTo(800);
    int compared = 0;
    for (int i = 0; i < LINES.size(); i++) {
      if (LINES.get(i).startsWith(" ")) continue;
      for (String kind : List.of("LlamaTokenizer", "AutoTokenizer")) {
        int[] ids = Json.MAPPER.convertValue(transformers.get("ids").get(kind).get(i), int[].class);
        assertThat(tokenizer.encode(LINES.get(i))).as(kind + ": " + LINES.get(i)).isEqualTo(ids);
      }
      compared++;
    }
    assertThat(compared).isGreaterThan(9000);
  }

  @Test
  void pythonDecodesToTheSameTextWhichIsTheLine() {
    for (int i = 0; i < LINES.size(); i++) {
      String decoded = tokenizer.decode(tokenizer.encode(LINES.get(i)));
      assertThat(decoded).isEqualTo(LINES.get(i));
      assertThat(python.get("decoded").get(i).asText()).isEqualTo(decoded);
    }
  }

  @Test
  void numpyAndPythonReadTheShardsBackToTheDocuments() {
    List<String> read = new ArrayList<>();
    for (String split : List.of("train", "validation")) {
      assertThat(python.get("documents").get(split)).as(split).isNotEmpty();
      python.get("documents").get(split).forEach(text -> read.add(text.asText()));
    }
    assertThat(read)
        .containsExactlyInAnyOrderElementsOf(DOCUMENTS.stream().map(Document::text).toList());
  }

  @Test
  void someEmojiAreInPiecesAndSomeAreBytes() {
    List<String> pieces = new ArrayList<>();
    for (int id = 0; id < tokenizer.vocabSize(); id++) pieces.add(tokenizer.piece(id));
    assertThat(pieces.stream().filter(p -> p.codePoints().anyMatch(c -> c > 0xFFFF))).isNotEmpty();
    assertThat(tokenizer.encode("🦖")).hasSize(5);
  }
}
