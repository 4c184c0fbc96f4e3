package caravan.pipeline.shard;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import caravan.pipeline.shard.TokenManifest.Shard;
import java.io.IOException;
import java.io.Serializable;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import net.openhft.hashing.LongHashFunction;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Finds the documents of token shards that share the longest runs of ids with a query. A task reads
 * each shard once and gives back its best few; the result does not depend on who reads which.
 */
public final class ShardSearch {
  private static final int BUFFER = 1 << 14;

  /**
   * A document's longest shared run.
   *
   * @param shard such as {@code train/shard-00000}
   * @param start of the document in the shard, in tokens
   * @param end of the document
   * @param matchStart of the run in the shard
   * @param length of the run
   * @param queryStart of the run in the query
   * @param content hash of the document's ids: of equal documents the first is given
   * @param copies equal documents that were met, at least
   */
  public record Match(
      String shard,
      long start,
      long end,
      long matchStart,
      int length,
      int queryStart,
      long content,
      int copies)
      implements Serializable {
    /** The longest first, then by place. */
    private static final Comparator<Match> ORDER =
        Comparator.comparingInt(Match::length)
            .reversed()
            .thenComparing(Match::shard)
            .thenComparing(Match::start);

    private Match plus(int more) {
      return new Match(shard, start, end, matchStart, length, queryStart, content, copies + more);
    }
  }

  /**
   * Whose a place is.
   *
   * @param start of the document in its shard, in tokens
   * @param end of the document
   */
  public record Origin(String id, String source, long start, long end) {}

  private final SparkSession spark;
  private final Configuration conf;
  private final Path directory;
  private final TokenManifest manifest;

  /**
   * @param directory of finished token shards
   * @throws IllegalArgumentException if it holds none
   */
  public ShardSearch(SparkSession spark, Path directory) {
    this.spark = spark;
    this.conf = spark.sparkContext().hadoopConfiguration();
    this.directory = directory;
    this.manifest = TokenManifest.read(conf, directory);
  }

  /**
   * The documents with the longest runs: the longest first, then by place.
   *
   * @param query ids, at least one
   * @param splits in which to look
   * @param documents how many at most
   * @param minTokens shorter runs do not count
   */
  public List<Match> longest(int[] query, List<String> splits, int documents, int minTokens) {
    List<Shard> shards = splits.stream().flatMap(s -> manifest.shards(s).stream()).toList();
    if (shards.isEmpty()) return List.of();
    JavaSparkContext sc = JavaSparkContext.fromSparkContext(spark.sparkContext());
    Broadcast<int[]> shared = sc.broadcast(query);
    Best best = new Best(documents);
    try {
      sc
          .parallelize(shards, shards.size())
          .flatMap(
              new Search(
                  new SerializableConfiguration(conf),
                  directory.toString(),
                  manifest.dtype(),
                  shared,
                  documents,
                  minTokens))
          .collect()
          .stream()
          .sorted(Match.ORDER)
          .forEach(best::offer);
      return List.copyOf(best.matches());
    } finally {
      shared.destroy();
    }
  }

  /**
   * Whose a token is.
   *
   * @param shard such as {@code train/shard-00000}
   * @param position in tokens
   * @throws IllegalArgumentException if there is no such shard, or it has no such position
   */
  public Origin origin(String shard, long position) {
    Shard found =
        manifest.shards().stream()
            .filter(s -> s.name().equals(shard))
            .findAny()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "shard '%s': there is none in %s; it has %s to %s"
                            .formatted(
                                shard,
                                directory,
                                manifest.shards().get(0).name(),
                                manifest.shards().get(manifest.shards().size() - 1).name())));
    if (position < 0 || position >= found.tokens()) {
      throw new IllegalArgumentException(
          "position %,d: %s has tokens 0 to %,d".formatted(position, shard, found.tokens() - 1));
    }
    Row row =
        spark
            .read()
            .parquet(new Path(directory, found.provenancePath()).toString())
            .filter(col("start").leq(lit(position)).and(col("end").gt(lit(position))))
            .first();
    return new Origin(row.getAs("id"), row.getAs("source"), row.getAs("start"), row.getAs("end"));
  }

  /** The ids from a position of a shard on. */
  public int[] read(String shard, long start, int count) throws IOException {
    Shard named =
        manifest.shards().stream().filter(s -> s.name().equals(shard)).findAny().orElseThrow();
    try (ShardReader reader = new ShardReader(conf, directory, named, manifest.dtype())) {
      int[] ids = new int[count];
      reader.read(start, ids);
      return ids;
    }
  }

  public TokenManifest manifest() {
    return manifest;
  }

  /** The best matches so far, one of each content; to be offered in the order of their places. */
  private static final class Best {
    private final int most;
    private final TreeSet<Match> matches = new TreeSet<>(Match.ORDER);
    private final Map<Long, Match> byContent = new HashMap<>();

    Best(int most) {
      this.most = most;
    }

    boolean isWanted(int length) {
      return matches.size() < most || length >= matches.last().length();
    }

    void offer(Match match) {
      Match known = byContent.get(match.content());
      Match merged = known == null ? match : known.plus(match.copies());
      if (known != null) matches.remove(known);
      matches.add(merged);
      byContent.put(match.content(), merged);
      if (matches.size() > most) byContent.remove(matches.pollLast().content());
    }

    Collection<Match> matches() {
      return matches;
    }
  }

  /** A shard to its best matches. */
  private record Search(
      SerializableConfiguration conf,
      String directory,
      TokenType dtype,
      Broadcast<int[]> query,
      int documents,
      int minTokens)
      implements FlatMapFunction<Shard, Match> {
    @Override
    public Iterator<Match> call(Shard shard) throws IOException {
      RunMatcher matcher = new RunMatcher(query.value());
      Best best = new Best(documents);
      int[] ids = new int[BUFFER];
      try (ShardReader reader = new ShardReader(conf.value(), new Path(directory), shard, dtype)) {
        for (int document = 0; document < reader.documents(); document++) {
          match(reader, document, matcher, ids);
          int length = matcher.bestLength();
          if (length < minTokens || !best.isWanted(length)) continue;
          best.offer(
              new Match(
                  shard.name(),
                  reader.start(document),
                  reader.end(document),
                  matcher.bestEnd() - length,
                  length,
                  matcher.bestQueryEnd() - length,
                  LongHashFunction.xx3().hashInts(reader.document(document)),
                  1));
        }
      }
      return best.matches().iterator();
    }

    private static void match(ShardReader reader, int document, RunMatcher matcher, int[] ids) {
      matcher.reset();
      long end = reader.end(document);
      for (long at = reader.start(document); at < end; at += ids.length) {
        int count = (int) Math.min(ids.length, end - at);
        reader.read(at, ids, 0, count);
        for (int i = 0; i < count; i++) matcher.next(ids[i], at + i);
      }
    }
  }
}
