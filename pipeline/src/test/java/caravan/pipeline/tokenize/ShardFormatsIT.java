package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import caravan.pipeline.shard.ShardFormat;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The reading code of Megatron-LM and of llama2.c opens what is written here. */
class ShardFormatsIT {
  private static final List<Document> DOCUMENTS = MixedText.documents(150, 6);

  @TempDir static Path folder;
  private static JsonNode read;

  @BeforeAll
  static void tokenizeAndReadInPython() throws Exception {
    SparkSession spark = TestSpark.session();
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    Inputs inputs =
        Inputs.resolve(
            spark.sparkContext().hadoopConfiguration(), folder.resolve("input.jsonl").toString());
    SentencePiece tokenizer =
        Encoder.FAST.open(
            TestModels.model("▁t", "he", "in", "的", "天气", "▁", "😀", "e", "t").toBytes(), "model");
    Files.write(folder.resolve("tokenizer.model"), tokenizer.toBytes());
    for (ShardFormat format : List.of(ShardFormat.MEGATRON, ShardFormat.LLAMA2C)) {
      new TokenizeStage(
              spark, tokenizer, TokenizeConfig.of(0.2, 3000, true).with(Encoder.FAST, format), 42)
          .write(
              SplitInputs.of(inputs, TestDocuments.readers(DOCUMENTS, 1), 0),
              folder.resolve(format.toString()).toString());
    }
    read =
        Json.MAPPER.readTree(
            FastSentencePieceIT.python(
                "/read_formats.py",
                folder.resolve("tokenizer.model").toString(),
                folder.resolve("megatron").toString(),
                folder.resolve("llama2c").toString()));
  }

  @Test
  void megatronReadsEveryDocument() {
    List<String> texts = new ArrayList<>();
    for (JsonNode document : read.get("megatron")) {
      assertThat(document.get(0).asInt()).isEqualTo(1);
      assertThat(document.get(1).asInt()).isEqualTo(2);
      texts.add(document.get(2).asText());
    }
    assertThat(texts)
        .containsExactlyInAnyOrderElementsOf(DOCUMENTS.stream().map(Document::text).toList());
  }

  @Test
  void llama2cReadsTrainingAndValidation() {
    assertThat(read.get("shifted").asBoolean()).isTrue();
    for (String split : List.of("train", "validation")) {
      JsonNode chunks = read.get("llama2c").get(split);
      assertThat(chunks).as(split).hasSizeGreaterThan(10);
      assertThat(chunks.get(0).get(0).asInt()).isEqualTo(1);
    }
  }
}
