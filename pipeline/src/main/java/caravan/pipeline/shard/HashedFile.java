package caravan.pipeline.shard;

import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;

/**
 * A file that is hashed while it is written and appears whole or not at all: two attempts of one
 * task may write it side by side, the last to commit wins. Where renaming is atomic it is written
 * under another name first; on S3 a file appears when its stream is closed.
 */
public final class HashedFile implements Closeable {
  private final Storage storage;
  private final Path target;
  private final Path written;
  private final FSDataOutputStream file;
  private final MessageDigest digest;
  private final OutputStream out;
  private long bytes;
  private boolean closed;

  /**
   * @param attempt names the writing attempt among those of the same file
   */
  public HashedFile(Storage storage, Path target, String attempt) throws IOException {
    this.storage = storage;
    this.target = storage.qualify(target);
    this.written =
        storage.renamesAtomically(this.target)
            ? new Path(this.target.getParent(), "." + this.target.getName() + "." + attempt)
            : this.target;
    this.file = storage.fileSystem(written).create(written, true);
    this.digest = Json.sha256();
    this.out = new BufferedOutputStream(new DigestOutputStream(file, digest), 1 << 16);
  }

  public void write(byte[] source) throws IOException {
    write(source, 0, source.length);
  }

  public void write(byte[] source, int start, int length) throws IOException {
    out.write(source, start, length);
    bytes += length;
  }

  /** Bytes written so far. */
  public long bytes() {
    return bytes;
  }

  /** Finishes the file and puts it in its place. */
  public Manifest.OutputFile commit(String relativePath) throws IOException {
    out.close();
    closed = true;
    if (!written.equals(target)) storage.replace(written, target);
    return new Manifest.OutputFile(relativePath, bytes, HexFormat.of().formatHex(digest.digest()));
  }

  /** Drops the file unless it was committed. */
  @Override
  public void close() throws IOException {
    if (closed) return;
    closed = true;
    if (file.hasCapability(StreamCapabilities.ABORTABLE_STREAM)) file.abort();
    file.close();
    if (!written.equals(target)) storage.delete(written);
  }
}
