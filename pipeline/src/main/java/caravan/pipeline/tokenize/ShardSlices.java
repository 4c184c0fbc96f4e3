package caravan.pipeline.tokenize;

import caravan.pipeline.shard.ShardPlan;
import caravan.pipeline.shard.TokenManifest;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;

/**
 * What travels where: every shard is a row of slices, each a run of buckets that is small enough to
 * be sorted in memory. Slices are numbered through all shards, in order, so that a task writes a
 * shard by reading its slices one after the other: nothing larger than a slice is ever held.
 */
final class ShardSlices implements Serializable {
  private static final long serialVersionUID = 1;

  /** Bytes of tokens that close a slice. */
  private static final long SLICE_BYTES = 8L << 20;

  /** Beyond so many slices they become larger instead of more. */
  private static final long MAX_SLICES = 20_000;

  /**
   * One shard.
   *
   * @param firstSlice its first one
   * @param endSlice behind its last one
   */
  record ShardRange(String split, int index, int firstSlice, int endSlice)
      implements Serializable {}

  private final int[][] sliceOfBucket = new int[TokenManifest.SPLITS.size()][];
  private final List<ShardRange> shards = new ArrayList<>();
  private int slices;

  /**
   * @param bucketTokens tokens in each bucket of each split
   * @param tokenBytes bytes of a token
   * @param shardTokens tokens that fill a split's shard
   */
  ShardSlices(
      Map<String, long[]> bucketTokens, int tokenBytes, ToLongFunction<String> shardTokens) {
    long tokens = bucketTokens.values().stream().flatMapToLong(Arrays::stream).sum() / MAX_SLICES;
    long sliceTokens = Math.max(SLICE_BYTES / tokenBytes, tokens);
    for (int split = 0; split < sliceOfBucket.length; split++) {
      String name = TokenManifest.SPLITS.get(split);
      long[] buckets = bucketTokens.get(name);
      ShardPlan plan = new ShardPlan(buckets, shardTokens.applyAsLong(name));
      sliceOfBucket[split] = slices(name, buckets, plan, sliceTokens);
    }
  }

  private int[] slices(String split, long[] buckets, ShardPlan plan, long sliceTokens) {
    int[] sliceOf = new int[buckets.length];
    if (plan.shardCount() == 0) return sliceOf;
    int shard = 0;
    int first = slices;
    long tokens = 0;
    for (int bucket = 0; bucket < buckets.length; bucket++) {
      boolean nextShard = plan.shardOf(bucket) != shard;
      if (nextShard || tokens >= sliceTokens && buckets[bucket] > 0) {
        slices++;
        tokens = 0;
      }
      if (nextShard) {
        shards.add(new ShardRange(split, shard, first, slices));
        shard = plan.shardOf(bucket);
        first = slices;
      }
      sliceOf[bucket] = slices;
      tokens += buckets[bucket];
    }
    slices++;
    shards.add(new ShardRange(split, shard, first, slices));
    return sliceOf;
  }

  /** The slice that takes a bucket's documents. */
  int slice(int split, int bucket) {
    return sliceOfBucket[split][bucket];
  }

  /** Number of slices. */
  int count() {
    return slices;
  }

  /** All shards, in the order of their slices. */
  List<ShardRange> shards() {
    return shards;
  }
}
