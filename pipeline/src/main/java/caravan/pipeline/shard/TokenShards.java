package caravan.pipeline.shard;

import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** All shards of a split as one run of tokens, in shard order. Thread-safe until closed. */
public final class TokenShards implements Closeable {
  private final TokenManifest manifest;
  private final String split;
  private final List<ShardReader> shards = new ArrayList<>();

  /** Position of each shard's first token, and the end. */
  private final long[] starts;

  /**
   * Opens a split of finished token shards.
   *
   * @param split {@link TokenManifest#TRAIN}, {@link TokenManifest#VALIDATION} or {@link
   *     TokenManifest#TEST}
   * @throws IllegalArgumentException if there is no manifest, or a shard is not as it says
   */
  public TokenShards(Configuration conf, Path directory, String split) throws IOException {
    this.manifest = TokenManifest.read(conf, directory);
    this.split = split;
    List<Shard> listed = manifest.shards(split);
    starts = new long[listed.size() + 1];
    try {
      for (int i = 0; i < listed.size(); i++) {
        shards.add(new ShardReader(conf, directory, listed.get(i), manifest.dtype()));
        starts[i + 1] = starts[i] + listed.get(i).tokens();
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  public TokenManifest manifest() {
    return manifest;
  }

  /** The split's shards, in order. */
  public List<ShardReader> shards() {
    return List.copyOf(shards);
  }

  /** Number of tokens in the split; 0 if it has no document. */
  public long tokens() {
    return starts[shards.size()];
  }

  /** Number of documents in the split. */
  public long documents() {
    return shards.stream().mapToLong(ShardReader::documents).sum();
  }

  /**
   * Reads {@code into.length} ids from a position on, across shards.
   *
   * @throws IndexOutOfBoundsException if the split does not hold that many there
   */
  public void read(long offset, int[] into) {
    if (offset < 0 || offset + into.length > tokens()) {
      throw new IndexOutOfBoundsException(
          String.format(
              Locale.ROOT,
              "%s: tokens %,d to %,d wanted, it has %,d",
              split,
              offset,
              offset + into.length,
              tokens()));
    }
    if (into.length == 0) return;
    int found = Arrays.binarySearch(starts, offset);
    int shard = found >= 0 ? found : -found - 2;
    for (int done = 0; done < into.length; shard++) {
      long inShard = offset + done - starts[shard];
      int count = (int) Math.min(into.length - done, shards.get(shard).tokens() - inShard);
      shards.get(shard).read(inShard, into, done, count);
      done += count;
    }
  }

  @Override
  public void close() throws IOException {
    for (ShardReader shard : shards) shard.close();
  }
}
