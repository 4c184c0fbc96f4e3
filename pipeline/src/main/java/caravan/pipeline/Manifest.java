package caravan.pipeline;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * What an output directory holds. {@code manifest.json} is written last and is the commit on every
 * file system: without it the directory is an unfinished run, and readers open only the files that
 * it lists.
 *
 * @param kind what the directory is: {@link #DOCUMENTS}, {@link #TOKENS} …
 * @param formatVersion {@link #FORMAT_VERSION} of the writer
 * @param inputs what it was made from
 * @param configHash {@link #hashOf} of the configuration it was made with
 * @param counts documents, characters, tokens …
 * @param files every file of the output but the manifest and its companions report.json and
 *     config.json
 * @param contentHash equal for equal content, whatever the file names and partitioning
 * @param extra what this kind of output needs beside that
 */
public record Manifest(
    String kind,
    int formatVersion,
    List<Input> inputs,
    String configHash,
    Map<String, Long> counts,
    List<OutputFile> files,
    String contentHash,
    Map<String, Object> extra) {

  public static final String FILE_NAME = "manifest.json";
  public static final int FORMAT_VERSION = 1;

  /** A stage's output: documents in {@code data/}, dropped ones in {@code dropped/}. */
  public static final String DOCUMENTS = "documents";

  /** A vocabulary: {@code tokenizer.model} and what goes with it. */
  public static final String TOKENIZER = "tokenizer";

  /** Token shards. */
  public static final String TOKENS = "tokens";

  /**
   * @param path as given, with its scheme
   * @param size bytes
   * @param fingerprint changes when the content changes; see {@link Inputs}
   */
  public record Input(String path, long size, String fingerprint) {}

  /**
   * @param path relative to the output directory
   * @param bytes size
   * @param sha256 of the file's bytes, in hexadecimal
   */
  public record OutputFile(String path, long bytes, String sha256) implements Serializable {}

  public Manifest {
    inputs = List.copyOf(inputs);
    counts = new TreeMap<>(counts);
    files = List.copyOf(files);
    extra = new TreeMap<>(extra);
  }

  /** A manifest of the current format version. */
  public static Manifest of(
      String kind,
      List<Input> inputs,
      String configHash,
      Map<String, Long> counts,
      List<OutputFile> files,
      String contentHash,
      Map<String, Object> extra) {
    return new Manifest(
        kind, FORMAT_VERSION, inputs, configHash, counts, files, contentHash, extra);
  }

  /** Hash of a resolved configuration, independent of the order of its keys. */
  public static String hashOf(Object config) {
    return Json.sha256(config);
  }

  /** Describes a file that was just written below {@code directory}. */
  public static OutputFile describe(Configuration conf, Path directory, String relativePath) {
    Storage storage = new Storage(conf);
    Path file = new Path(directory, relativePath);
    long bytes =
        storage
            .status(file)
            .orElseThrow(() -> new IllegalStateException(file + ": was written, but is not there"))
            .getLen();
    return new OutputFile(relativePath, bytes, storage.sha256(file));
  }

  /** Commits: writes {@code directory/manifest.json} atomically. */
  public void write(Configuration conf, Path directory) {
    new Storage(conf).writeAtomically(new Path(directory, FILE_NAME), Json.bytes(this));
  }

  /**
   * The manifest of a directory; empty when there is none.
   *
   * @throws IllegalArgumentException when it is not a manifest that this version reads
   */
  public static Optional<Manifest> find(Configuration conf, Path directory) {
    Storage storage = new Storage(conf);
    Path file = new Path(directory, FILE_NAME);
    if (!storage.exists(file)) {
      return Optional.empty();
    }
    try {
      JsonNode tree = Json.MAPPER.readTree(storage.read(file));
      int version = tree.path("formatVersion").asInt(0);
      if (version != FORMAT_VERSION) {
        throw new IllegalArgumentException(
            file
                + ": format version "
                + version
                + ", this program reads "
                + FORMAT_VERSION
                + "; make the output again");
      }
      return Optional.of(Json.MAPPER.treeToValue(tree, Manifest.class));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          file
              + ": not a manifest ("
              + e.getOriginalMessage()
              + "); make the output again with --force",
          e);
    } catch (IOException e) {
      throw new IllegalArgumentException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * The manifest of a finished output, its files checked to be there in full length.
   *
   * @param kind wanted kind
   * @throws IllegalArgumentException when there is none, it is of another kind, or a file of it is
   *     missing or has another size
   */
  public static Manifest read(Configuration conf, Path directory, String kind) {
    Manifest manifest =
        find(conf, directory)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        directory
                            + ": no "
                            + FILE_NAME
                            + ", wanted a finished "
                            + kind
                            + " output; run the command that makes it"));
    if (!manifest.kind().equals(kind)) {
      throw new IllegalArgumentException(
          directory + ": holds " + manifest.kind() + ", wanted " + kind);
    }
    manifest.checkFiles(conf, directory);
    return manifest;
  }

  /**
   * Checks existence and size of every listed file: cheap, catches lost and truncated files.
   *
   * @throws IllegalArgumentException naming the first file that is missing or has another size
   */
  public void checkFiles(Configuration conf, Path directory) {
    Storage storage = new Storage(conf);
    Path root = storage.qualify(directory);
    Map<String, Long> present = new TreeMap<>();
    for (FileStatus status : storage.filesBelow(root)) {
      present.put(relative(root, status.getPath()), status.getLen());
    }
    for (OutputFile file : files) {
      Long bytes = present.get(file.path());
      if (bytes == null || bytes != file.bytes()) {
        throw new IllegalArgumentException(
            new Path(directory, file.path())
                + (bytes == null ? ": missing" : ": " + bytes + " bytes")
                + ", manifest says "
                + file.bytes()
                + " bytes; make the output again with --force");
      }
    }
  }

  /**
   * Checks every listed file's SHA-256: reads everything.
   *
   * @throws IllegalArgumentException naming the first file that differs
   */
  public void checkHashes(Configuration conf, Path directory) {
    checkFiles(conf, directory);
    Storage storage = new Storage(conf);
    for (OutputFile file : files) {
      String sha256 = storage.sha256(new Path(directory, file.path()));
      if (!sha256.equals(file.sha256())) {
        throw new IllegalArgumentException(
            new Path(directory, file.path())
                + ": sha256 "
                + sha256
                + ", manifest says "
                + file.sha256()
                + "; make the output again with --force");
      }
    }
  }

  /** The part of {@code file} below {@code root}; both qualified. */
  static String relative(Path root, Path file) {
    String prefix = root.toUri().getPath();
    String path = file.toUri().getPath();
    return path.startsWith(prefix + "/") ? path.substring(prefix.length() + 1) : path;
  }
}
