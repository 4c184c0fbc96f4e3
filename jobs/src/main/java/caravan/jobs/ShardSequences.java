package caravan.jobs;

import static org.apache.spark.sql.functions.col;

import caravan.model.engine.TokenBatch;
import caravan.model.train.SequenceSource;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenShards;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/**
 * The token shards of one split as training sequences: sequence i holds the tokens from i × length
 * on, and each of them predicts the next one, so that every token but the very first is a target
 * exactly once per epoch. Each JVM opens the shards once.
 *
 * <p>With isolated documents a sequence's documents are marked: they begin at each BOS and after
 * each EOS, and the last token of one does not predict the first of the next.
 */
public final class ShardSequences implements SequenceSource, DocumentNames {
  private static final Map<String, TokenShards> OPEN = new ConcurrentHashMap<>();

  private final SerializableConfiguration hadoop;
  private final String directory;
  private final String split;
  private final String fingerprint;
  private final int sequenceLength;
  private final boolean isolated;
  private final int bosId;
  private final int eosId;
  private final long size;

  private ShardSequences(
      Configuration hadoop,
      String directory,
      String split,
      TokenManifest manifest,
      int length,
      boolean isolated) {
    this.hadoop = new SerializableConfiguration(hadoop);
    this.directory = directory;
    this.split = split;
    this.fingerprint = manifest.shards(split).toString();
    this.sequenceLength = length;
    this.isolated = isolated;
    this.bosId = manifest.bosId();
    this.eosId = manifest.eosId();
    this.size = Math.max(0, (shards().tokens() - 1) / length);
  }

  /**
   * @param directory of finished token shards
   * @param split {@link TokenManifest#TRAIN} or {@link TokenManifest#VALIDATION}
   * @param sequenceLength tokens per sequence
   * @param isolated whether documents see nothing of each other
   * @throws IllegalArgumentException when the split is shorter than one sequence
   */
  public static ShardSequences open(
      Configuration hadoop, String directory, String split, int sequenceLength, boolean isolated) {
    TokenManifest manifest = TokenManifest.read(hadoop, new Path(directory));
    ShardSequences sequences =
        new ShardSequences(hadoop, directory, split, manifest, sequenceLength, isolated);
    if (sequences.size == 0) {
      throw new IllegalArgumentException(
          "tokens %s: %,d %s tokens, wanted at least train.sequence-length + 1 = %,d; %s"
              .formatted(
                  directory,
                  sequences.shards().tokens(),
                  split,
                  sequenceLength + 1,
                  split.equals(TokenManifest.VALIDATION)
                      ? "tokenize again with a larger tokenize.validation-fraction"
                      : "tokenize more text or train with shorter sequences"));
    }
    return sequences;
  }

  /**
   * As {@link #open}; empty when the split has no document, as validation may have none.
   *
   * @throws IllegalArgumentException when it has some, but less than one sequence
   */
  public static Optional<SequenceSource> find(
      Configuration hadoop, String directory, String split, int sequenceLength, boolean isolated) {
    boolean empty = TokenManifest.read(hadoop, new Path(directory)).shards(split).isEmpty();
    return empty
        ? Optional.empty()
        : Optional.of(open(hadoop, directory, split, sequenceLength, isolated));
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
    int[] tokens = new int[sequenceLength + 1];
    shards().read(index * sequenceLength, tokens);
    System.arraycopy(tokens, 0, ids, at, sequenceLength);
    System.arraycopy(tokens, 1, targets, at, sequenceLength);
    if (isolated) {
      isolate(tokens, bosId, eosId, targets, at);
    }
  }

  /**
   * Marks where documents begin, and takes the targets away that cross from one into the next.
   *
   * @param tokens the sequence's, and the one after it
   * @param targets from {@code at} on, one per token of the sequence
   */
  static void isolate(int[] tokens, int bosId, int eosId, int[] targets, int at) {
    for (int i = 0; i + 1 < tokens.length; i++) {
      boolean ends = tokens[i] == eosId || tokens[i + 1] == bosId;
      boolean begins = i > 0 && (tokens[i - 1] == eosId || tokens[i] == bosId);
      int target = ends ? TokenBatch.IGNORED : targets[at + i];
      targets[at + i] = begins ? TokenBatch.marked(target) : target;
    }
  }

  @Override
  public List<String> documents(SparkSession spark, List<Long> sequences) {
    List<Shard> shards = TokenManifest.read(hadoop.value(), new Path(directory)).shards(split);
    Set<String> names = new LinkedHashSet<>();
    long start = 0;
    for (Shard shard : shards) {
      long first = start;
      Optional<Column> read =
          sequences.stream()
              .map(index -> index * sequenceLength - first)
              .filter(from -> from < shard.tokens() && from + sequenceLength >= 0)
              .map(from -> col("start").leq(from + sequenceLength).and(col("end").gt(from)))
              .reduce(Column::or);
      read.ifPresent(
          rows ->
              spark
                  .read()
                  .option("__globPaths__", "false")
                  .parquet(new Path(directory, shard.provenancePath()).toString())
                  .where(rows)
                  .orderBy("start")
                  .collectAsList()
                  .forEach(row -> names.add(row.getAs("id") + " (" + row.getAs("source") + ")")));
      start += shard.tokens();
    }
    return List.copyOf(names);
  }

  private TokenShards shards() {
    return OPEN.computeIfAbsent(directory + " " + split + " " + fingerprint, key -> openShards());
  }

  private TokenShards openShards() {
    try {
      return new TokenShards(hadoop.value(), new Path(directory), split);
    } catch (IOException e) {
      throw new UncheckedIOException("tokens " + directory + ": cannot be read", e);
    }
  }
}
