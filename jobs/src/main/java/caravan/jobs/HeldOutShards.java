package caravan.jobs;

import caravan.model.train.SequenceSource;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Token shards of their own that a training holds out, none of whose documents it trains on. */
final class HeldOutShards {
  private HeldOutShards() {}

  /**
   * Opens the validation split of {@code directory}, or its training split where it has no other.
   *
   * @param tokens what is trained on
   * @throws IllegalArgumentException when another tokenizer made them, or a document of them is
   *     also trained on
   */
  static SequenceSource open(SparkSession spark, String directory, TrainingTokens tokens) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    TokenManifest heldOut = TokenManifest.read(hadoop, new Path(directory));
    String split =
        heldOut.shards(TokenManifest.VALIDATION).isEmpty()
            ? TokenManifest.TRAIN
            : TokenManifest.VALIDATION;
    for (String trainedOn : tokens.directories()) {
      refuseOverlap(spark, directory, heldOut, split, trainedOn);
    }
    return ShardSequences.open(
        hadoop, directory, split, tokens.sequenceLength(), tokens.isolated());
  }

  private static void refuseOverlap(
      SparkSession spark, String directory, TokenManifest heldOut, String split, String tokens) {
    TokenManifest trained =
        TokenManifest.read(spark.sparkContext().hadoopConfiguration(), new Path(tokens));
    if (!trained.tokenizerSha256().equals(heldOut.tokenizerSha256())) {
      throw new IllegalArgumentException(
          "validation=%s: made with tokenizer sha256 %.12s…, tokens=%s with %.12s…; tokenize it with"
                  .formatted(
                      directory, heldOut.tokenizerSha256(), tokens, trained.tokenizerSha256())
              + " the same tokenizer");
    }
    refuseOverlap(
        documents(spark, directory, heldOut.shards(split)),
        documents(spark, tokens, trained.shards(TokenManifest.TRAIN)),
        directory,
        tokens);
  }

  private static Dataset<Row> documents(SparkSession spark, String directory, List<Shard> shards) {
    String[] files =
        shards.stream()
            .map(shard -> new Path(directory, shard.provenancePath()).toString())
            .toArray(String[]::new);
    return spark
        .read()
        .option("__globPaths__", "false")
        .parquet(files)
        .select("id", "source")
        .distinct();
  }

  private static void refuseOverlap(
      Dataset<Row> heldOut, Dataset<Row> trained, String directory, String tokens) {
    Dataset<Row> both = heldOut.intersect(trained);
    List<Row> first = both.limit(1).collectAsList();
    if (!first.isEmpty()) {
      throw new IllegalArgumentException(
          "validation=%s: %,d of its documents are in the training split of tokens=%s too, such as %s of source %s; hold out other documents, or tokenize with tokenize.validation-input"
              .formatted(
                  directory, both.count(), tokens, first.get(0).get(0), first.get(0).get(1)));
    }
  }
}
