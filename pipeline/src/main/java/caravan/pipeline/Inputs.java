package caravan.pipeline;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import net.openhft.hashing.LongTupleHashFunction;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.EtagSource;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * What an {@code input} setting names: files, directories, globs and stage outputs, local or on
 * {@code s3a://}, separated by commas. A directory with a manifest.json is a stage output and
 * stands for exactly the files that its manifest lists; any other directory for all files below it,
 * except those whose name, or a directory's name on the way, starts with {@code _} or {@code .}.
 *
 * <p>A file's fingerprint is its entity tag where the file system has one (S3); else xxh3-128 of
 * its bytes up to {@value #WHOLE_BYTES} bytes; of a larger file, of its first and last mebibyte,
 * size and modification time. A stage output's fingerprint is its content hash.
 *
 * @param spec the setting as given
 * @param roots what its parts resolve to, in that order
 */
public record Inputs(String spec, List<Root> roots) {
  private static final long WHOLE_BYTES = 64L << 20;
  private static final int SAMPLE_BYTES = 1 << 20;

  /**
   * One part of the setting.
   *
   * @param name of a directory, its name; of a single file, its name up to the first dot: the
   *     source name of documents that bring none
   * @param path what file paths are relative to
   * @param files not empty
   * @param manifest of a stage output
   */
  public record Root(
      String name, String path, List<InputFile> files, Optional<Manifest> manifest) {}

  /**
   * @param path with its scheme
   * @param relativePath below the root
   * @param size bytes
   */
  public record InputFile(String path, String relativePath, long size, String fingerprint) {}

  public Inputs {
    roots = List.copyOf(roots);
  }

  /** A single input: a path, glob, or comma-separated list of these. */
  public static Inputs resolve(Configuration conf, String spec) {
    return resolve(conf, List.of(spec));
  }

  /**
   * @throws IllegalArgumentException when a part matches nothing, holds no file, names an
   *     unfinished stage output, or all files are empty
   */
  public static Inputs resolve(Configuration conf, List<String> specs) {
    String spec = String.join(",", specs);
    List<Root> roots = new ArrayList<>();
    Resolver resolver = new Resolver(new Storage(conf), conf);
    for (String part : specs.stream().flatMap(s -> split(s).stream()).toList()) {
      roots.addAll(resolver.resolve(part));
    }
    if (roots.isEmpty()) {
      throw new IllegalArgumentException(
          "input: got nothing, wanted a path, a glob or a comma-separated list; set input=…");
    }
    Inputs inputs = new Inputs(spec, roots);
    if (inputs.files().stream().mapToLong(InputFile::size).sum() == 0) {
      throw new IllegalArgumentException(
          "input "
              + spec
              + ": all "
              + inputs.files().size()
              + " files are empty, wanted documents; check the path");
    }
    return inputs;
  }

  public List<InputFile> files() {
    return roots.stream().flatMap(root -> root.files().stream()).toList();
  }

  /** Whether every root is a stage output: then all documents are readable rows. */
  public boolean areStageOutputs() {
    return roots.stream().allMatch(root -> root.manifest().isPresent());
  }

  /** Number of documents, known when every root is a stage output. */
  public OptionalLong documentCount() {
    return areStageOutputs()
        ? OptionalLong.of(
            roots.stream().mapToLong(r -> r.manifest().orElseThrow().counts().get("kept")).sum())
        : OptionalLong.empty();
  }

  /** What a manifest records: one entry per raw file, one per stage output. */
  public List<Manifest.Input> fingerprints() {
    return roots.stream().flatMap(root -> fingerprints(root).stream()).toList();
  }

  private static List<Manifest.Input> fingerprints(Root root) {
    if (root.manifest().isPresent()) {
      long size = root.files().stream().mapToLong(InputFile::size).sum();
      String contentHash = root.manifest().get().contentHash();
      return List.of(new Manifest.Input(root.path(), size, contentHash));
    }
    return root.files().stream()
        .map(file -> new Manifest.Input(file.path(), file.size(), file.fingerprint()))
        .toList();
  }

  /** Splits at commas outside of a glob's braces. */
  private static List<String> split(String spec) {
    List<String> parts = new ArrayList<>();
    int depth = 0;
    int start = 0;
    for (int i = 0; i <= spec.length(); i++) {
      char c = i == spec.length() ? ',' : spec.charAt(i);
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (i == spec.length() || c == ',' && depth == 0) {
        parts.add(spec.substring(start, i).strip());
        start = i + 1;
      }
    }
    parts.removeIf(String::isEmpty);
    return parts;
  }

  private record Resolver(Storage storage, Configuration conf) {

    List<Root> resolve(String part) {
      Path path = new Path(part);
      Optional<FileStatus> status = storage.status(path);
      if (status.isPresent()) {
        return List.of(root(part, status.get()));
      }
      FileStatus[] matches = glob(part, path);
      Path base = storage.qualify(fixedPrefix(path));
      List<Root> roots = new ArrayList<>();
      List<FileStatus> files = new ArrayList<>();
      for (FileStatus match : matches) {
        if (isHidden(base, match)) {
          continue;
        }
        if (match.isDirectory() && stageOutput(match.getPath()).isPresent()) {
          roots.add(root(part, match));
        } else if (match.isDirectory()) {
          files.addAll(visibleFiles(match.getPath()));
        } else {
          files.add(match);
        }
      }
      if (!files.isEmpty()) {
        roots.add(rawRoot(base.getName(), base, files));
      } else if (roots.isEmpty()) {
        throw nothing(part, "matches nothing but empty or hidden directories");
      }
      return roots;
    }

    private Root root(String part, FileStatus status) {
      Path path = storage.qualify(status.getPath());
      if (status.isFile()) {
        if (path.getName().matches("[_.].*")) {
          throw nothing(part, "is a hidden file (its name starts with _ or a dot)");
        }
        String name = path.getName().replaceFirst("(?<=.)\\..*", "");
        return rawRoot(name, path.getParent(), List.of(status));
      }
      Optional<Manifest> manifest = stageOutput(path);
      if (manifest.isPresent()) {
        return stageRoot(path, manifest.get());
      }
      List<FileStatus> files = visibleFiles(path);
      if (files.isEmpty()) {
        throw nothing(part, "is an empty directory");
      }
      return rawRoot(path.getName(), path, files);
    }

    private Optional<Manifest> stageOutput(Path directory) {
      Optional<Manifest> manifest = Manifest.find(conf, directory);
      if (manifest.isEmpty() && storage.exists(new Path(directory, StageOutput.STARTED))) {
        throw new IllegalArgumentException(
            "input "
                + directory
                + ": an unfinished stage output (no "
                + Manifest.FILE_NAME
                + "); run the stage that makes it again");
      }
      return manifest;
    }

    private Root stageRoot(Path path, Manifest manifest) {
      if (!manifest.kind().equals(Manifest.DOCUMENTS)) {
        throw new IllegalArgumentException(
            "input " + path + ": holds " + manifest.kind() + ", wanted " + Manifest.DOCUMENTS);
      }
      manifest.checkFiles(conf, path);
      List<InputFile> files =
          manifest.files().stream()
              .filter(file -> file.path().startsWith(DocumentFiles.DATA + "/"))
              .map(
                  file ->
                      new InputFile(
                          new Path(path, file.path()).toString(),
                          file.path(),
                          file.bytes(),
                          file.sha256()))
              .toList();
      return new Root(path.getName(), path.toString(), files, Optional.of(manifest));
    }

    private Root rawRoot(String name, Path base, List<FileStatus> statuses) {
      List<InputFile> files =
          statuses.stream()
              .sorted(Comparator.comparing(FileStatus::getPath))
              .map(
                  status -> {
                    Path path = storage.qualify(status.getPath());
                    return new InputFile(
                        path.toString(),
                        Manifest.relative(base, path),
                        status.getLen(),
                        fingerprint(status));
                  })
              .toList();
      return new Root(name, base.toString(), files, Optional.empty());
    }

    private FileStatus[] glob(String part, Path path) {
      try {
        FileStatus[] matches = storage.fileSystem(path).globStatus(path);
        if (matches == null || matches.length == 0) {
          throw nothing(part, "matches no file");
        }
        Arrays.sort(matches, Comparator.comparing(FileStatus::getPath));
        return matches;
      } catch (IOException e) {
        throw new UncheckedIOException(path + ": cannot list it", e);
      }
    }

    private static IllegalArgumentException nothing(String part, String found) {
      return new IllegalArgumentException(
          "input " + part + ": " + found + ", wanted at least one file; check the path");
    }

    private List<FileStatus> visibleFiles(Path directory) {
      Path root = storage.qualify(directory);
      return storage.filesBelow(root).stream().filter(file -> !isHidden(root, file)).toList();
    }

    /** Whether a name on the way from the root to the file starts with {@code _} or a dot. */
    private boolean isHidden(Path root, FileStatus file) {
      String relative = Manifest.relative(root, storage.qualify(file.getPath()));
      return Arrays.stream(relative.split("/")).anyMatch(name -> name.matches("[_.].*"));
    }

    /** The longest leading part of a glob without special characters. */
    private static Path fixedPrefix(Path glob) {
      Path prefix = glob;
      for (Path p = glob; p != null; p = p.getParent()) {
        if (p.getName().matches(".*[*?\\[{].*")) {
          prefix = p.getParent() == null ? new Path(".") : p.getParent();
        }
      }
      return prefix;
    }

    private String fingerprint(FileStatus status) {
      if (status instanceof EtagSource source && source.getEtag() != null) {
        return "etag:" + source.getEtag();
      }
      try (InputStream in = storage.open(status.getPath())) {
        if (status.getLen() <= WHOLE_BYTES) {
          return "xxh3:" + xxh3(in.readAllBytes());
        }
        byte[] head = in.readNBytes(SAMPLE_BYTES);
        in.skipNBytes(status.getLen() - 2L * SAMPLE_BYTES);
        byte[] tail = in.readNBytes(SAMPLE_BYTES);
        return "xxh3-ends:" + xxh3(head) + xxh3(tail) + ":" + status.getModificationTime();
      } catch (IOException e) {
        throw new UncheckedIOException(status.getPath() + ": cannot read it", e);
      }
    }

    private static String xxh3(byte[] bytes) {
      long[] hash = LongTupleHashFunction.xx128().hashBytes(bytes);
      return String.format("%016x%016x", hash[0], hash[1]);
    }
  }
}
