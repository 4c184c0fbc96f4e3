package caravan.pipeline.dedup;

import caravan.pipeline.Storage;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Files of an index's parts, oldest first, for tasks to look into.
 *
 * @param conf how to reach them; null without files
 * @param directory of the index
 */
record IndexFiles(SerializableConfiguration conf, String directory, List<IndexLookup.Located> files)
    implements Serializable {

  /** Of no index. */
  static final IndexFiles NONE = new IndexFiles(null, "", List.of());

  boolean isEmpty() {
    return files.isEmpty();
  }

  /** These and those of a newer part. */
  IndexFiles with(List<IndexFile> newer) {
    int part = files.stream().mapToInt(IndexLookup.Located::part).max().orElse(-1) + 1;
    List<IndexLookup.Located> all = new ArrayList<>(files);
    newer.forEach(file -> all.add(new IndexLookup.Located(part, file)));
    return new IndexFiles(conf, directory, List.copyOf(all));
  }

  /** Within a Spark task: the entries of a kind. */
  IndexLookup lookup(IndexFile.Kind kind) {
    return new IndexLookup(
        conf == null ? null : new Storage(conf.value()),
        new Path(directory.isEmpty() ? "/" : directory),
        files.stream().filter(located -> located.file().kind() == kind).toList());
  }
}
