package caravan.pipeline.shard;

import java.io.Serializable;

/**
 * Which shard takes which part of a split. The split's shuffled order is cut into equal buckets;
 * shards are runs of buckets, closed once they hold enough tokens. So a shard's content depends on
 * the documents alone, never on Spark's partitions.
 */
public final class ShardPlan implements Serializable {
  private static final long serialVersionUID = 1;

  private final int[] shardOfBucket;
  private final int shardCount;

  /**
   * @param tokensPerBucket tokens in each bucket of the split, in order
   * @param shardTokens tokens that fill a shard
   */
  public ShardPlan(long[] tokensPerBucket, long shardTokens) {
    shardOfBucket = new int[tokensPerBucket.length];
    int shard = 0;
    long tokens = 0;
    for (int bucket = 0; bucket < tokensPerBucket.length; bucket++) {
      if (tokens >= shardTokens && tokensPerBucket[bucket] > 0) {
        shard++;
        tokens = 0;
      }
      shardOfBucket[bucket] = shard;
      tokens += tokensPerBucket[bucket];
    }
    shardCount = tokens > 0 ? shard + 1 : 0;
  }

  /** The shard that takes a bucket's documents. */
  public int shardOf(int bucket) {
    return shardOfBucket[bucket];
  }

  /** Number of shards; 0 without tokens. */
  public int shardCount() {
    return shardCount;
  }
}
