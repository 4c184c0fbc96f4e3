package caravan.jobs.chat;

import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.HashedFile;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/**
 * Keeps the records that were not used: {@code dropped/part-00000.jsonl} of {@code {id, reason,
 * detail, raw}}, a file for each input file that has any.
 */
final class DroppedWriter implements Closeable {
  static final String FOLDER = "dropped";

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Storage storage;
  private final Path directory;
  private final String path;
  private final String attempt;
  private HashedFile file;

  DroppedWriter(Storage storage, Path directory, int fileNumber, String attempt) {
    this.storage = storage;
    this.directory = directory;
    this.path = String.format(Locale.ROOT, "%s/part-%05d.jsonl", FOLDER, fileNumber);
    this.attempt = attempt;
  }

  void add(ChatRecord record, Defect defect) throws IOException {
    if (file == null) {
      file = new HashedFile(storage, new Path(directory, path), attempt);
    }
    Map<String, String> line = new LinkedHashMap<>();
    line.put("id", record.id());
    line.put("reason", defect.reason());
    line.put("detail", defect.detail());
    line.put("raw", record.raw());
    file.write((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** The finished file; none when nothing was dropped. */
  List<Manifest.OutputFile> commit() throws IOException {
    return file == null ? List.of() : List.of(file.commit(path));
  }

  /** Drops the file unless it was committed. */
  @Override
  public void close() throws IOException {
    if (file != null) {
      file.close();
    }
  }
}
