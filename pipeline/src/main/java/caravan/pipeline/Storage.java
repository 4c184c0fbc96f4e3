package caravan.pipeline;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;

/**
 * Files on any Hadoop file system: local paths, {@code hdfs://}, {@code s3a://}. Local files are
 * reached without Hadoop's {@code .crc} companions, which would refuse a file that another program
 * has rewritten.
 */
public final class Storage {
  /** Schemes whose rename is atomic. Elsewhere (S3) a file appears whole when it is closed. */
  private static final Set<String> RENAMES = Set.of("file", "hdfs", "viewfs");

  private final Configuration conf;

  public Storage(Configuration conf) {
    this.conf = conf;
  }

  public FileSystem fileSystem(Path path) {
    try {
      FileSystem fs = path.getFileSystem(conf);
      return fs instanceof LocalFileSystem local ? local.getRawFileSystem() : fs;
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": no access to its file system", e);
    }
  }

  /** The path with its scheme and, when it was relative, the working directory. */
  public Path qualify(Path path) {
    FileSystem fs = fileSystem(path);
    return path.makeQualified(fs.getUri(), fs.getWorkingDirectory());
  }

  public Optional<FileStatus> status(Path path) {
    try {
      return Optional.of(fileSystem(path).getFileStatus(path));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot look at it", e);
    }
  }

  public boolean exists(Path path) {
    return status(path).isPresent();
  }

  /** All files below a directory, sorted by path; empty when it does not exist. */
  public List<FileStatus> filesBelow(Path directory) {
    List<FileStatus> files = new ArrayList<>();
    if (exists(directory)) {
      try {
        var iterator = fileSystem(directory).listFiles(directory, true);
        while (iterator.hasNext()) {
          files.add(iterator.next());
        }
      } catch (IOException e) {
        throw new UncheckedIOException(directory + ": cannot list it", e);
      }
    }
    files.sort(Comparator.comparing(FileStatus::getPath));
    return files;
  }

  public byte[] read(Path file) {
    try (InputStream in = open(file)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read it", e);
    }
  }

  public FSDataInputStream open(Path file) throws IOException {
    return fileSystem(file).open(file);
  }

  /** Creates or overwrites a file; parents are made. */
  public OutputStream create(Path file) throws IOException {
    return fileSystem(file).create(file, true);
  }

  /** Writes a small file so that readers see the old bytes or the new ones, never a part. */
  public void writeAtomically(Path file, byte[] bytes) {
    Path target = qualify(file);
    boolean renames = renamesAtomically(target);
    Path written = renames ? new Path(target.getParent(), "." + target.getName() + ".tmp") : target;
    try {
      try (OutputStream out = create(written)) {
        out.write(bytes);
      }
      if (renames) {
        replace(written, target);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot write it", e);
    } catch (FSError e) {
      // So Hadoop reports what the local disk refuses, a full one among it.
      throw new UncheckedIOException(file + ": cannot write it", new IOException(e.getCause()));
    }
  }

  /** Whether the file system of a qualified path can put a file in another's place at once. */
  public boolean renamesAtomically(Path path) {
    return RENAMES.contains(path.toUri().getScheme());
  }

  /** Puts one file in another's place; readers of the target see the old bytes or the new. */
  public void replace(Path written, Path target) throws IOException {
    FileContext.getFileContext(target.toUri(), conf)
        .rename(written, target, Options.Rename.OVERWRITE);
  }

  /** Deletes a file or a whole directory; no error when it is not there. */
  public void delete(Path path) {
    try {
      fileSystem(path).delete(path, true);
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot delete it", e);
    }
  }

  /** SHA-256 of a file's bytes, in hexadecimal. */
  public String sha256(Path file) {
    MessageDigest digest = Json.sha256();
    byte[] buffer = new byte[1 << 16];
    try (InputStream in = open(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read it", e);
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
