package caravan.pipeline.tokenize;

import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardFormat;
import caravan.pipeline.shard.ShardWriter;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenType;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Writes a shard: the partition's number is the shard's, and its documents come in their order.
 * Gives a {@link ShardWriter.Written} in JSON.
 */
final class ShardPartitionWriter
    implements Function2<Integer, Iterator<EncodedDocument>, Iterator<String>> {
  private static final long serialVersionUID = 1;

  private final SerializableConfiguration conf;
  private final String directory;
  private final ShardFormat format;
  private final int vocabSize;
  private final Broadcast<ShardSlices> slices;

  ShardPartitionWriter(
      SerializableConfiguration conf,
      String directory,
      ShardFormat format,
      int vocabSize,
      Broadcast<ShardSlices> slices) {
    this.conf = conf;
    this.directory = directory;
    this.format = format;
    this.vocabSize = vocabSize;
    this.slices = slices;
  }

  @Override
  public Iterator<String> call(Integer number, Iterator<EncodedDocument> documents)
      throws IOException {
    ShardSlices.ShardRange shard = slices.value().shards().get(number);
    try (ShardWriter writer = writing(() -> writer(shard.split(), shard.index()))) {
      while (documents.hasNext()) {
        EncodedDocument d = documents.next();
        writing(() -> append(d, writer));
      }
      return List.of(Json.MAPPER.writeValueAsString(writing(writer::commit))).iterator();
    }
  }

  private static EncodedDocument append(EncodedDocument d, ShardWriter writer) throws IOException {
    writer.append(d.id(), d.source(), d.block().array(), d.tokensFrom(), d.tokenBytes());
    return d;
  }

  private interface Writing<T> {
    T call() throws IOException;
  }

  private <T> T writing(Writing<T> work) {
    try {
      return work.call();
    } catch (IOException e) {
      throw unwritable(e);
    } catch (FSError e) {
      throw unwritable(e.getCause());
    }
  }

  /** Hadoop reports what the local disk refuses as an error of its own, a full one among it. */
  private IllegalStateException unwritable(Throwable cause) {
    return new IllegalStateException(
        directory + ": cannot write shards there; nothing passes for whole, run tokenize again",
        cause);
  }

  private ShardWriter writer(String split, int shard) throws IOException {
    return new ShardWriter(
        new Storage(conf.value()),
        new Path(directory),
        new Shard(split, shard, 0, 0, "", format.shardName(split, shard, vocabSize)),
        TokenType.forVocabulary(vocabSize),
        format,
        "attempt-" + TaskContext.get().taskAttemptId());
  }
}
