package caravan.model.checkpoint;

import java.io.BufferedOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Files under one path of any Hadoop file system. Local files are written without Hadoop's {@code
 * .crc} side files, which other readers of a model directory would not understand.
 */
public final class Directory {

  /** What was written: size in bytes and sha256 in hexadecimal. */
  public record Fingerprint(long bytes, String sha256) implements Serializable {}

  /** Writes a file's content. */
  public interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  private static final int CHUNK_BYTES = 1 << 20;

  private final FileSystem files;
  private final Path root;

  private Directory(FileSystem files, Path root) {
    this.files = files;
    this.root = root;
  }

  public static Directory of(String path, Configuration hadoop) {
    try {
      Path root = new Path(path);
      FileSystem files = root.getFileSystem(hadoop);
      return new Directory(files instanceof LocalFileSystem local ? local.getRaw() : files, root);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot reach the file system of " + path, e);
    }
  }

  /** The directory that holds a file. */
  static Directory holding(String file, Configuration hadoop) {
    Path parent = new Path(file).getParent();
    if (parent == null) {
      throw new IllegalArgumentException(file + ": wanted the path of a file");
    }
    return of(parent.toString(), hadoop);
  }

  Directory child(String name) {
    return new Directory(files, new Path(root, name));
  }

  /** Its path from any working directory; without a scheme where it is local. */
  String absolutePath() {
    Path absolute = files.makeQualified(root);
    boolean local = absolute.toUri().getScheme().equals("file");
    return local ? absolute.toUri().getPath() : absolute.toString();
  }

  /** How its file system is reached. */
  Configuration hadoop() {
    return files.getConf();
  }

  /** The directory's name, without the path before it. */
  String name() {
    return root.getName();
  }

  /** Path of the directory so many levels above this one, or of the highest there is. */
  String above(int levels) {
    Path path = root;
    for (int i = 0; i < levels && path.getParent() != null; i++) {
      path = path.getParent();
    }
    return path.toString();
  }

  /** The same for every way to write a path to here. */
  String qualifiedPath() {
    return files.makeQualified(root).toString();
  }

  public String path() {
    return root.toString();
  }

  public String path(String file) {
    return new Path(root, file).toString();
  }

  public boolean exists() {
    return attempt("look for", "", () -> files.exists(root));
  }

  public boolean exists(String file) {
    return attempt("look for", file, () -> files.exists(new Path(root, file)));
  }

  /** Names of the files and directories in here, sorted; empty when this does not exist. */
  List<String> list() {
    return attempt(
        "list",
        "",
        () -> {
          try {
            return Arrays.stream(files.listStatus(root))
                .map(FileStatus::getPath)
                .map(Path::getName)
                .sorted()
                .toList();
          } catch (FileNotFoundException e) {
            return List.of();
          }
        });
  }

  long size(String file) {
    return attempt("measure", file, () -> files.getFileStatus(new Path(root, file)).getLen());
  }

  FSDataInputStream open(String file) {
    return attempt("open", file, () -> files.open(new Path(root, file)));
  }

  /** A whole small file. */
  public byte[] bytes(String file) {
    return attempt(
        "read",
        file,
        () -> {
          try (FSDataInputStream in = files.open(new Path(root, file))) {
            return in.readAllBytes();
          }
        });
  }

  Fingerprint fingerprint(String file) {
    return attempt(
        "read",
        file,
        () -> {
          MessageDigest digest = sha256();
          byte[] chunk = new byte[CHUNK_BYTES];
          long bytes = 0;
          try (FSDataInputStream in = files.open(new Path(root, file))) {
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
              digest.update(chunk, 0, n);
              bytes += n;
            }
          }
          return new Fingerprint(bytes, HexFormat.of().formatHex(digest.digest()));
        });
  }

  Fingerprint write(String file, Content content) {
    return attempt(
        "write",
        file,
        () -> {
          MessageDigest digest = sha256();
          if (isLocal()) {
            // The old file may be mapped, and stays so when it is deleted, not when it is cut.
            java.nio.file.Files.deleteIfExists(localPath(file));
          }
          var out = new DigestOutputStream(files.create(new Path(root, file), true), digest);
          var counted = new CountingStream(new BufferedOutputStream(out, CHUNK_BYTES));
          try (counted) {
            content.writeTo(counted);
          }
          return new Fingerprint(counted.bytes, HexFormat.of().formatHex(digest.digest()));
        });
  }

  Fingerprint write(String file, byte[] content) {
    return write(file, out -> out.write(content));
  }

  /**
   * Replaces a small file so that readers see the old or the new content. Object stores do so by
   * themselves; a local file is renamed over the old one.
   */
  public void replace(String file, byte[] content) {
    if (isLocal()) {
      replace(file, out -> out.write(content));
    } else {
      write(file, content);
    }
  }

  /** The same for content of any size, which may be made of the old one. */
  void replace(String file, Content content) {
    if (!isLocal()) {
      replaceByCopy(file, content);
      return;
    }
    write("." + file + ".new", content);
    attempt(
        "replace",
        file,
        () ->
            Files.move(
                localPath("." + file + ".new"),
                localPath(file),
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING));
  }

  /** Elsewhere the old content may be gone as soon as the new one is begun. */
  private void replaceByCopy(String file, Content content) {
    attempt(
        "replace",
        file,
        () -> {
          java.nio.file.Path copy = Files.createTempFile("caravan-", ".new");
          try {
            try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(copy))) {
              content.writeTo(out);
            }
            return write(file, out -> Files.copy(copy, out));
          } finally {
            Files.delete(copy);
          }
        });
  }

  /** Whether files lie in this machine's own file system. */
  boolean isLocal() {
    return files.getUri().getScheme().equals("file");
  }

  java.nio.file.Path localPath(String file) {
    return java.nio.file.Path.of(files.makeQualified(new Path(root, file)).toUri().getPath());
  }

  void delete(String file) {
    attempt("delete", file, () -> files.delete(new Path(root, file), false));
  }

  void deleteAll() {
    attempt("delete", "", () -> files.delete(root, true));
  }

  private interface Action<T> {
    T run() throws IOException;
  }

  private <T> T attempt(String verb, String file, Action<T> action) {
    String where = file.isEmpty() ? path() : path(file);
    try {
      return action.run();
    } catch (FileNotFoundException e) {
      throw new IllegalArgumentException("cannot " + verb + " " + where + ": no such file", e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot " + verb + " " + where + ": " + e.getMessage(), e);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static final class CountingStream extends OutputStream {
    private final OutputStream out;
    private long bytes;

    private CountingStream(OutputStream out) {
      this.out = out;
    }

    @Override
    public void write(int b) throws IOException {
      out.write(b);
      bytes++;
    }

    @Override
    public void write(byte[] b, int offset, int length) throws IOException {
      out.write(b, offset, length);
      bytes += length;
    }

    @Override
    public void flush() throws IOException {
      out.flush();
    }

    @Override
    public void close() throws IOException {
      out.close();
    }
  }
}
