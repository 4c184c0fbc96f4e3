package caravan.pipeline.learn;

import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import com.fasterxml.jackson.core.JacksonException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * What was learned for an output, in its directory {@code models/}: {@code NAME.bin} and, written
 * after it, {@code NAME.json}, which says what it was learned from and carries its checksum. Names
 * end with a hash of everything that the content depends on.
 */
final class LearnedFiles {
  static final String DIRECTORY = "models";
  private static final String SHA256 = "sha256";
  private static final String BYTES = "bytes";

  private final Storage storage;
  private final Path directory;

  /** Writes or reads the content of a file. */
  interface Writing {
    void write(DataOutput out) throws IOException;
  }

  interface Reading<T> {
    T read(DataInput in) throws IOException;
  }

  /**
   * @param output the stage's output directory
   */
  LearnedFiles(Storage storage, Path output) {
    this.storage = storage;
    this.directory = new Path(storage.qualify(output), DIRECTORY);
  }

  /** The record under a name, if its file is there. */
  Optional<Map<String, Object>> find(String name) {
    Path file = new Path(directory, name + ".json");
    if (!storage.exists(file)) {
      return Optional.empty();
    }
    try {
      @SuppressWarnings("unchecked")
      Map<String, Object> record = Json.MAPPER.readValue(storage.read(file), TreeMap.class);
      Optional<FileStatus> content = storage.status(path(name));
      boolean whole =
          !record.containsKey(SHA256)
              || content.isPresent()
                  && content.get().getLen() == ((Number) record.get(BYTES)).longValue();
      return whole ? Optional.of(record) : Optional.empty();
    } catch (JacksonException e) {
      return Optional.empty(); // cut off while it was written: learned again
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read it", e);
    }
  }

  /** Writes a record alone. */
  void write(String name, Map<String, Object> record) {
    storage.writeAtomically(new Path(directory, name + ".json"), Json.bytes(record));
  }

  /** Writes the content, then the record with the content's checksum; returns that record. */
  Map<String, Object> write(String name, Map<String, Object> record, Writing content) {
    MessageDigest digest = Json.sha256();
    Path file = path(name);
    try (DataOutputStream out =
        new DataOutputStream(
            new BufferedOutputStream(
                new DigestOutputStream(storage.create(file), digest), 1 << 16))) {
      content.write(out);
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot write it", e);
    }
    Map<String, Object> full = new TreeMap<>(record);
    full.put(SHA256, HexFormat.of().formatHex(digest.digest()));
    full.put(BYTES, storage.status(file).orElseThrow().getLen());
    write(name, full);
    return full;
  }

  /**
   * @throws IllegalStateException when the content is not what its record says
   */
  <T> T read(String name, Map<String, Object> record, Reading<T> reading) {
    Path file = path(name);
    if (!storage.sha256(file).equals(record.get(SHA256))) {
      throw new IllegalStateException(
          file + ": its checksum is not that of its record; delete it, it will be learned again");
    }
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(storage.open(file), 1 << 16))) {
      return reading.read(in);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read it", e);
    }
  }

  /** Deletes what names of a kind hold, but one. */
  void deleteExcept(String kind, String name) {
    for (FileStatus status : storage.filesBelow(directory)) {
      String file = status.getPath().getName();
      if (file.startsWith(kind) && !file.startsWith(name + ".")) {
        storage.delete(status.getPath());
      }
    }
  }

  /** Where the content under a name lies. */
  Path path(String name) {
    return new Path(directory, name + ".bin");
  }
}
