package caravan.pipeline.tokenize;

import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardFormat;
import caravan.pipeline.shard.ShardWriter;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Writes the shards of a partition, which holds whole shards, sorted. Gives a {@link
 * ShardWriter.Written} in JSON for each.
 */
final class ShardPartitionWriter implements MapPartitionsFunction<Row, String> {
  private static final long serialVersionUID = 1;

  private final SerializableConfiguration conf;
  private final String directory;
  private final ShardFormat format;
  private final int vocabSize;

  ShardPartitionWriter(
      SerializableConfiguration conf, String directory, ShardFormat format, int vocabSize) {
    this.conf = conf;
    this.directory = directory;
    this.format = format;
    this.vocabSize = vocabSize;
  }

  @Override
  public Iterator<String> call(Iterator<Row> documents) throws IOException {
    List<String> written = new ArrayList<>();
    ShardWriter writer = null;
    try {
      String open = "";
      while (documents.hasNext()) {
        Row document = documents.next();
        String split = document.getAs("split");
        int shard = document.getAs("shard");
        String name = split + "-" + shard;
        if (!name.equals(open)) {
          if (writer != null) written.add(commit(writer));
          writer = writer(split, shard);
          open = name;
        }
        writer.append(document.getAs("id"), document.getAs("source"), document.getAs("tokens"));
      }
      if (writer != null) written.add(commit(writer));
    } finally {
      if (writer != null) writer.close();
    }
    return written.iterator();
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

  private static String commit(ShardWriter writer) throws IOException {
    return Json.MAPPER.writeValueAsString(writer.commit());
  }
}
