package caravan.pipeline.shard;

import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.apache.hadoop.fs.Path;

/**
 * Writes one shard, document by document, as its three files: tokens, bounds and provenance. Memory
 * does not grow with the shard.
 */
public final class ShardWriter implements Closeable {
  /**
   * A finished shard.
   *
   * @param files its tokens, bounds and provenance, in this order
   */
  public record Written(Shard shard, List<Manifest.OutputFile> files) {}

  private final String split;
  private final int index;
  private final TokenType dtype;
  private final Shard paths;
  private final HashedFile tokensFile;
  private final HashedFile boundsFile;
  private final HashedFile provenanceFile;
  private final ProvenanceWriter provenance;
  private final ByteBuffer bound = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private long documents;

  /**
   * @param directory the output directory, not the split's
   * @param attempt names the writing attempt among those of the same shard
   */
  public ShardWriter(
      Storage storage, Path directory, String split, int index, TokenType dtype, String attempt)
      throws IOException {
    this.split = split;
    this.index = index;
    this.dtype = dtype;
    paths = new Shard(split, index, 0, 0, "");
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
    long start = tokens();
    tokensFile.write(tokens);
    boundsFile.write(bound.putLong(0, tokens()).array());
    provenance.append(paths.name(), start, tokens(), id, source);
    documents++;
  }

  /** Finishes the three files. */
  public Written commit() throws IOException {
    provenance.close();
    Manifest.OutputFile tokens = tokensFile.commit(paths.tokensPath());
    return new Written(
        new Shard(split, index, tokens(), documents, tokens.sha256()),
        List.of(
            tokens,
            boundsFile.commit(paths.boundsPath()),
            provenanceFile.commit(paths.provenancePath())));
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
