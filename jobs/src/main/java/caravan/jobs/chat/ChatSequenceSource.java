package caravan.jobs.chat;

import caravan.model.engine.TokenBatch;
import caravan.model.train.SequenceSource;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.SerializableConfiguration;

/**
 * The sequences that {@link ChatSequences} wrote, read on the executors. Each JVM opens the shards
 * once and maps them into memory.
 */
public final class ChatSequenceSource implements SequenceSource {
  private static final long serialVersionUID = 1;
  private static final Map<String, Split> OPEN = new ConcurrentHashMap<>();

  private final SerializableConfiguration hadoop;
  private final String directory;
  private final String split;
  private final String contentHash;
  private final boolean isolated;
  private final int sequenceLength;
  private final long size;

  private ChatSequenceSource(
      Configuration hadoop, String directory, String split, boolean isolated, Manifest manifest) {
    this.hadoop = new SerializableConfiguration(hadoop);
    this.directory = directory;
    this.split = split;
    this.isolated = isolated;
    this.contentHash = manifest.contentHash();
    this.sequenceLength = ((Number) manifest.extra().get("sequenceLength")).intValue();
    this.size = tokenManifest(manifest).shards(split).stream().mapToLong(Shard::documents).sum();
  }

  /**
   * @param directory output of {@link ChatSequences}
   * @param split {@link TokenManifest#TRAIN} or {@link TokenManifest#VALIDATION}; {@link #size} is
   *     0 when nothing fell to it
   * @param isolated whether conversations that share a sequence are marked to see nothing of each
   *     other
   * @throws IllegalArgumentException when there is no finished output, or a file of it is missing
   *     or has another size
   */
  public static ChatSequenceSource open(
      Configuration hadoop, String directory, String split, boolean isolated) {
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(directory);
    return new ChatSequenceSource(
        hadoop, directory, split, isolated, Manifest.read(hadoop, path, ChatSequences.KIND));
  }

  private static TokenManifest tokenManifest(Manifest manifest) {
    Map<String, Object> tokens = new TreeMap<>(manifest.extra());
    tokens.remove("sequenceLength");
    return Json.MAPPER.convertValue(tokens, TokenManifest.class);
  }

  @Override
  public int sequenceLength() {
    return sequenceLength;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(long index, int[] ids, int[] targets, int at) {
    OPEN.computeIfAbsent(directory + " " + split + " " + contentHash, key -> openSplit())
        .read(index, ids, targets, at, sequenceLength);
    for (int i = at; !isolated && i < at + sequenceLength; i++) {
      targets[i] = TokenBatch.unmarked(targets[i]);
    }
  }

  private Split openSplit() {
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(directory);
    TokenManifest manifest = tokenManifest(Manifest.read(hadoop.value(), path, ChatSequences.KIND));
    List<ShardReader> ids = new ArrayList<>();
    List<IntBuffer> targets = new ArrayList<>();
    List<Shard> shards = manifest.shards(split);
    long[] starts = new long[shards.size() + 1];
    for (int i = 0; i < shards.size(); i++) {
      ids.add(new ShardReader(hadoop.value(), path, shards.get(i), manifest.dtype()));
      targets.add(mapped(ChatSequenceWriter.targetsPath(shards.get(i))));
      starts[i + 1] = starts[i] + shards.get(i).documents();
    }
    return new Split(ids, targets, starts);
  }

  /** A local file's ints; one from elsewhere is copied to a temporary file first. */
  private IntBuffer mapped(String name) {
    Storage storage = new Storage(hadoop.value());
    org.apache.hadoop.fs.Path file =
        storage.qualify(new org.apache.hadoop.fs.Path(directory, name));
    boolean isLocal = file.toUri().getScheme().equals("file");
    try {
      Path local = isLocal ? Path.of(file.toUri().getPath()) : copy(storage, file);
      try (FileChannel channel = FileChannel.open(local)) {
        return channel
            .map(FileChannel.MapMode.READ_ONLY, 0, channel.size())
            .order(ByteOrder.LITTLE_ENDIAN)
            .asIntBuffer();
      } finally {
        if (!isLocal) {
          // The mapping outlives the name.
          Files.delete(local);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read it", e);
    }
  }

  private static Path copy(Storage storage, org.apache.hadoop.fs.Path file) throws IOException {
    Path copy = Files.createTempFile("caravan-targets-", ".bin");
    try (InputStream in = storage.open(file)) {
      Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
    }
    return copy;
  }

  /**
   * @param starts number of the first sequence of each shard, and the end
   */
  private record Split(List<ShardReader> ids, List<IntBuffer> targets, long[] starts) {
    void read(long index, int[] toIds, int[] toTargets, int at, int length) {
      int found = Arrays.binarySearch(starts, index);
      int shard = found >= 0 ? found : -found - 2;
      long position = (index - starts[shard]) * length;
      ids.get(shard).read(position, toIds, at, length);
      targets.get(shard).get((int) position, toTargets, at, length);
    }
  }
}
