package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Token shards by a tokenizer.json. */
class TokenizeByteLevelSparkTest {
  @TempDir Path folder;

  @Test
  void shardsCarryTheTokenizersFilesAndSpecialTokensInTextStayText() throws Exception {
    SparkSession spark = TestSpark.session();
    Configuration conf = spark.sparkContext().hadoopConfiguration();
    Path input = Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    ByteLevelTokenizer tokenizer =
        TokenizerJson.read(
            ByteLevelTokenizerTest.json(),
            Optional.of("{\"bos_token\": \"<s>\", \"eos_token\": \"<s>\"}".getBytes()),
            "t.json");
    List<String> texts = List.of("abab 你好", "a <s> b");
    List<Document> documents = new ArrayList<>();
    for (int i = 0; i < texts.size(); i++) {
      documents.add(new Document("d" + i, "s", "p", "en", texts.get(i), Map.of()));
    }
    String output = folder.resolve("tokens").toString();
    Manifest manifest =
        new TokenizeStage(spark, tokenizer, TokenizeConfig.of(0, 1000, true), 42)
            .write(
                SplitInputs.of(
                    Inputs.resolve(conf, input.toString()), TestDocuments.readers(documents, 1), 0),
                output);
    manifest.checkHashes(conf, new org.apache.hadoop.fs.Path(output));
    assertThat(manifest.files().stream().map(Manifest.OutputFile::path))
        .contains("tokenizer.json", "tokenizer_config.json");
    TokenManifest tokens = TokenManifest.of(manifest);
    tokens.requireTokenizer(tokenizer);
    List<String> read = new ArrayList<>();
    try (ShardReader shard =
        new ShardReader(
            conf, new org.apache.hadoop.fs.Path(output), tokens.shards().get(0), tokens.dtype())) {
      for (int i = 0; i < shard.documents(); i++) {
        int[] ids = shard.document(i);
        assertThat(ids).startsWith(tokenizer.bosId()).endsWith(tokenizer.eosId());
        read.add(tokenizer.decode(ids));
      }
    }
    assertThat(read).containsExactlyInAnyOrderElementsOf(texts);
  }
}
