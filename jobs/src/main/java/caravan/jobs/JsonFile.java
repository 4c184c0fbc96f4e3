package caravan.jobs;

import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Small JSON files of ours. */
final class JsonFile {
  private JsonFile() {}

  /**
   * @throws IllegalArgumentException when the file is missing or not what it should be
   */
  static <T> T read(String location, Class<T> type, Configuration hadoop) {
    Path file = new Path(location);
    Storage storage = new Storage(hadoop);
    if (!storage.exists(file)) {
      throw new IllegalArgumentException(file + ": missing; run the command that makes it");
    }
    try {
      return Json.MAPPER.readValue(storage.read(file), type);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "%s: not the %s it should be (%s); run the command that makes it with --force"
              .formatted(file, type.getSimpleName(), e.getMessage()),
          e);
    }
  }
}
