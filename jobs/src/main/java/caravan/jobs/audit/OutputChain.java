package caravan.jobs.audit;

import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * The outputs that a document went through, found from one of them or from the directory that holds
 * them: each manifest names what it was made from.
 *
 * @param stages stage outputs, each after those it was made from
 * @param tokens token shards made from them
 */
public record OutputChain(List<StageDocuments> stages, List<Tokens> tokens) {

  /** A directory of token shards. */
  public record Tokens(String directory, Manifest manifest) {}

  /**
   * @param directory an output, or a directory of outputs such as {@code prepare} makes
   * @throws IllegalArgumentException when there is no finished output of documents or tokens
   */
  public static OutputChain of(String directory, Configuration hadoop) {
    OutputChain chain = find(List.of(directory), hadoop);
    if (chain.stages.isEmpty() && chain.tokens.isEmpty()) {
      throw new IllegalArgumentException(
          "output %s: neither it nor a directory in it is a finished output of documents or tokens; wanted what prepare, clean, dedup or tokenize wrote"
              .formatted(directory));
    }
    return chain;
  }

  /**
   * The outputs of several directories, which may hold none.
   *
   * @throws IllegalArgumentException when a directory does not exist
   */
  static OutputChain find(List<String> directories, Configuration hadoop) {
    Walk walk = new Walk(new Storage(hadoop), hadoop, new LinkedHashMap<>(), new ArrayList<>());
    for (String directory : directories) {
      Path root = walk.storage.qualify(new Path(directory));
      FileStatus status =
          walk.storage
              .status(root)
              .orElseThrow(
                  () ->
                      new IllegalArgumentException("output " + directory + ": no such directory"));
      if (status.isFile()) {
        throw new IllegalArgumentException(
            "output " + directory + ": is a file, wanted a directory of outputs, or one");
      }
      if (!walk.follow(root)) {
        walk.children(root).forEach(walk::follow);
      }
    }
    return new OutputChain(
        List.copyOf(walk.stages.values()), walk.tokens.stream().distinct().toList());
  }

  private record Walk(
      Storage storage,
      Configuration hadoop,
      Map<String, StageDocuments> stages,
      List<Tokens> tokens) {

    /** Adds an output after all that it was made from; false when it is none. */
    boolean follow(Path directory) {
      Optional<Manifest> found = Manifest.find(hadoop, directory);
      if (found.isEmpty()) {
        return false;
      }
      Manifest manifest = found.get();
      String name = directory.toString();
      boolean documents = manifest.kind().equals(Manifest.DOCUMENTS);
      if (!documents && !manifest.kind().equals(Manifest.TOKENS) || stages.containsKey(name)) {
        return stages.containsKey(name);
      }
      manifest.inputs().forEach(input -> followInput(new Path(input.path())));
      if (documents) {
        manifest.checkFiles(hadoop, directory);
        stages.put(name, new StageDocuments(name, manifest));
      } else {
        tokens.add(new Tokens(name, manifest));
      }
      return true;
    }

    private void followInput(Path input) {
      if (storage.status(input).filter(FileStatus::isDirectory).isPresent()) {
        follow(input);
      }
    }

    List<Path> children(Path directory) {
      try {
        return Arrays.stream(storage.fileSystem(directory).listStatus(directory))
            .filter(FileStatus::isDirectory)
            .map(status -> storage.qualify(status.getPath()))
            .sorted()
            .toList();
      } catch (IOException e) {
        throw new UncheckedIOException(directory + ": cannot list it", e);
      }
    }
  }
}
