package caravan.pipeline.dedup;

import caravan.pipeline.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/** Writes partitions of entries to {@link IndexFile}s, on executors. */
final class IndexFileTask {
  private IndexFileTask() {}

  /** A file and the sums of its entries, which say what it holds. */
  record Written(IndexFile file, long firstSum, long secondSum) implements Serializable {}

  /**
   * @param entries sorted by {@link Route#RANGE}
   * @return one file per partition that is not empty
   */
  static List<Written> write(
      Entries entries, IndexFile.Kind kind, SerializableConfiguration conf, Path index) {
    String directory = index.toString();
    return entries
        .blocks()
        .mapPartitions(
            blocks ->
                write(Blocks.entries(blocks), kind, new Storage(conf.value()), new Path(directory))
                    .iterator())
        .collect();
  }

  private static List<Written> write(
      Iterator<Entry> entries, IndexFile.Kind kind, Storage storage, Path index)
      throws IOException {
    if (!entries.hasNext()) {
      return List.of();
    }
    try (IndexFileWriter writer = new IndexFileWriter(storage, index, kind)) {
      while (entries.hasNext()) {
        writer.write(entries.next());
      }
      IndexFile file = writer.commit();
      return List.of(new Written(file, writer.sums()[0], writer.sums()[1]));
    }
  }
}
