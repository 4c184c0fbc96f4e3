package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestS3;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenShards;
import java.io.OutputStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenShardsOnS3SparkTest {
  @TempDir java.nio.file.Path folder;

  @Test
  void shardsOnS3AreTheShardsOnDiskAndReadBackToTheDocuments() throws Exception {
    TestS3 s3 = new TestS3();
    SparkSession spark = s3.session();
    Configuration conf = spark.sparkContext().hadoopConfiguration();
    List<Document> documents = MixedText.documents(60, 4);
    JavaRDD<DocumentIterator> readers = TestDocuments.readers(documents, 2);
    Files.writeString(folder.resolve("input.jsonl"), "{\"text\":\"hello\"}\n");
    Inputs inputs = Inputs.resolve(conf, folder.resolve("input.jsonl").toString());
    SentencePieceTokenizer tokenizer = TestModels.tokenizer("th", "▁t", "▁", "t", "h", "e", "的");
    TokenizeStage stage =
        new TokenizeStage(spark, tokenizer, TokenizeConfig.of(0.2, 3000, true), 42);
    String output = s3.path("tokens");
    Manifest onS3 = stage.write(SplitInputs.of(inputs, readers, 0), output);
    Manifest onDisk =
        stage.write(SplitInputs.of(inputs, readers, 0), folder.resolve("tokens").toString());
    assertThat(onS3.files()).isEqualTo(onDisk.files());
    assertThat(stage.run(SplitInputs.of(inputs, readers, 0), output, false).upToDate()).isTrue();
    assertThat(texts(conf, output, tokenizer))
        .containsExactlyInAnyOrderElementsOf(documents.stream().map(Document::text).toList());

    Path shard = new Path(output, "train/shard-00000.bin");
    byte[] whole = new Storage(conf).read(shard);
    try (OutputStream out = new Storage(conf).create(shard)) {
      out.write(whole, 0, whole.length - 4);
    }
    assertThatThrownBy(() -> new TokenShards(conf, new Path(output), TokenManifest.TRAIN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("shard 00000: ")
        .hasMessageContaining("; re-run tokenize (" + s3.path("tokens/train/shard-00000.bin, "));
  }

  private static List<String> texts(Configuration conf, String output, Tokenizer tokenizer)
      throws Exception {
    List<String> texts = new ArrayList<>();
    for (String split : List.of(TokenManifest.TRAIN, TokenManifest.VALIDATION)) {
      try (TokenShards shards = new TokenShards(conf, new Path(output), split)) {
        for (ShardReader shard : shards.shards()) {
          for (int i = 0; i < shard.documents(); i++) {
            texts.add(tokenizer.decode(shard.document(i)));
          }
        }
      }
    }
    return texts;
  }
}
