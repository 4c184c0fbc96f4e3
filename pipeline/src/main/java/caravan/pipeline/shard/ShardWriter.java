package caravan.pipeline.shard;

import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.Path;

/**
 * Writes one shard, document by document, as its files: tokens, bounds and provenance, and in
 * Megatron's format its index. Memory does not grow with the shard.
 */
public final class ShardWriter implements Closeable {
  /**
   * A finished shard.
   *
   * @param files its tokens, bounds and provenance, and Megatron's index, in this order
   */
  public record Written(Shard shard, List<Manifest.OutputFile> files) {}

  private final Storage storage;
  private final Path directory;
  private final TokenType dtype;
  private final ShardFormat format;
  private final String attempt;
  private final Shard paths;
  private final HashedFile tokensFile;
  private final HashedFile boundsFile;
  private final HashedFile provenanceFile;
  private final ProvenanceWriter provenance;
  private final ByteBuffer bound = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private long documents;

  /**
   * A shard of the format {@link ShardFormat#CARAVAN}.
   *
   * @param directory the output directory, not the split's
   * @param attempt names the writing attempt among those of the same shard
   */
  public ShardWriter(
      Storage storage, Path directory, String split, int index, TokenType dtype, String attempt)
      throws IOException {
    this(
        storage, directory, new Shard(split, index, 0, 0, ""), dtype, ShardFormat.CARAVAN, attempt);
  }

  /**
   * @param directory the output directory, not the split's
   * @param paths split, index and name
   * @param attempt names the writing attempt among those of the same shard
   */
  public ShardWriter(
      Storage storage,
      Path directory,
      Shard paths,
      TokenType dtype,
      ShardFormat format,
      String attempt)
      throws IOException {
    this.storage = storage;
    this.directory = directory;
    this.dtype = dtype;
    this.format = format;
    this.attempt = attempt;
    this.paths = paths;
    tokensFile = new HashedFile(storage, new Path(directory, paths.tokensPath()), attempt);
    boundsFile = new HashedFile(storage, new Path(directory, paths.boundsPath()), attempt);
    provenanceFile = new HashedFile(storage, new Path(directory, paths.provenancePath()), attempt);
    provenance = new ProvenanceWriter(provenanceFile);
  }

  /**
   * Appends a document.
   *
   * @param tokens its ids in the shard's type, with BOS and EOS
   */
  public void append(String id, String source, byte[] tokens) throws IOException {
    append(id, source, tokens, 0, tokens.length);
  }

  /** The same, of ids that lie in {@code length} bytes of an array. */
  public void append(String id, String source, byte[] array, int from, int length)
      throws IOException {
    long start = tokens();
    tokensFile.write(array, from, length);
    boundsFile.write(bound.putLong(0, tokens()).array());
    provenance.append(paths.name(), start, tokens(), id, source);
    documents++;
  }

  /** Finishes the files. */
  public Written commit() throws IOException {
    provenance.close();
    List<Manifest.OutputFile> files = new ArrayList<>();
    files.add(tokensFile.commit(paths.tokensPath()));
    files.add(boundsFile.commit(paths.boundsPath()));
    files.add(provenanceFile.commit(paths.provenancePath()));
    if (format == ShardFormat.MEGATRON) files.add(index());
    return new Written(
        new Shard(
            paths.split(), paths.index(), tokens(), documents, files.get(0).sha256(), paths.name()),
        files);
  }

  private Manifest.OutputFile index() throws IOException {
    Path bounds = new Path(directory, paths.boundsPath());
    try (HashedFile file =
        new HashedFile(storage, new Path(directory, paths.indexPath()), attempt)) {
      return MegatronIndex.write(storage, bounds, documents, dtype, file, paths.indexPath());
    }
  }

  /** Drops what was not committed. */
  @Override
  public void close() throws IOException {
    try (tokensFile;
        boundsFile) {
      provenanceFile.close();
    }
  }

  private long tokens() {
    return tokensFile.bytes() / dtype.bytes();
  }
}
