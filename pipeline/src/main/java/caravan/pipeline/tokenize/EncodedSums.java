package caravan.pipeline.tokenize;

import caravan.pipeline.shard.TokenManifest;
import java.io.Serializable;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;

/**
 * What a task adds up over its encoded documents: documents, token bytes and text bytes per kind,
 * source and language, and token bytes per bucket of each split. Arrays alone, which cross under
 * any {@code spark.serializer}.
 */
final class EncodedSums implements Serializable {
  private static final long serialVersionUID = 1;

  /** The sums of more tasks than these are added up on executors before they reach the driver. */
  private static final int TASKS_TO_DRIVER = 64;

  /** Of each group its {@link EncodedDocument#kind}, source and language. */
  private final String[][] groups;

  /** Of each group its documents, token bytes and text bytes. */
  private final long[][] sums;

  /** Buckets that hold tokens, numbered through the splits, ascending. */
  private final int[] buckets;

  private final long[] bucketBytes;

  private EncodedSums(String[][] groups, long[][] sums, int[] buckets, long[] bucketBytes) {
    this.groups = groups;
    this.sums = sums;
    this.buckets = buckets;
    this.bucketBytes = bucketBytes;
  }

  /** Of all documents, each as often as it is to be written; runs a job. */
  static EncodedSums of(JavaRDD<byte[]> blocks, MixedCopies copies) {
    return blocks
        .mapPartitions(part -> List.of(sum(BlockPacker.documents(part), copies)).iterator())
        .treeReduce(EncodedSums::plus, blocks.getNumPartitions() <= TASKS_TO_DRIVER ? 1 : 2);
  }

  private static EncodedSums sum(Iterator<EncodedDocument> documents, MixedCopies copies) {
    Adder adder = new Adder();
    EncodedDocument last = null;
    long[] sums = {};
    while (documents.hasNext()) {
      EncodedDocument document = documents.next();
      if (last == null || !document.isOfGroup(last)) {
        sums = adder.group(document.kind(), document.source(), document.language());
        last = document;
      }
      int tokenBytes = document.tokenBytes();
      long[] orders = copies.orders(document);
      for (long order : orders) {
        adder.add(document.split(), EncodedDocument.bucket(order), tokenBytes);
      }
      sums[0] += orders.length;
      sums[1] += (long) orders.length * tokenBytes;
      sums[2] += orders.length * document.textBytes();
    }
    return adder.sums();
  }

  private EncodedSums plus(EncodedSums other) {
    Adder adder = new Adder();
    for (EncodedSums sums : List.of(this, other)) {
      for (int i = 0; i < sums.groups.length; i++) {
        long[] sum = adder.group(sums.groups[i]);
        for (int j = 0; j < sum.length; j++) sum[j] += sums.sums[i][j];
      }
      for (int i = 0; i < sums.buckets.length; i++) {
        adder.bucketBytes[sums.buckets[i]] += sums.bucketBytes[i];
      }
    }
    return adder.sums();
  }

  /** The totals, token bytes as tokens of so many bytes each. */
  EncodedTotals totals(int tokenBytes) {
    Map<String, long[]> tokens = new HashMap<>();
    for (String split : TokenManifest.SPLITS) tokens.put(split, new long[EncodedDocument.BUCKETS]);
    for (int i = 0; i < buckets.length; i++) {
      String split = TokenManifest.SPLITS.get(buckets[i] / EncodedDocument.BUCKETS);
      tokens.get(split)[buckets[i] % EncodedDocument.BUCKETS] = bucketBytes[i] / tokenBytes;
    }
    return new EncodedTotals(
        IntStream.range(0, groups.length)
            .mapToObj(
                i ->
                    new EncodedTotals.Group(
                        groups[i][0],
                        groups[i][1],
                        groups[i][2],
                        sums[i][0],
                        sums[i][1] / tokenBytes,
                        sums[i][2]))
            .sorted(EncodedTotals.Group.ORDER)
            .toList(),
        tokens);
  }

  /** Adds up. */
  private static final class Adder {
    private final Map<List<String>, long[]> groups = new HashMap<>();
    private final long[] bucketBytes =
        new long[TokenManifest.SPLITS.size() * EncodedDocument.BUCKETS];

    /** The sums of a group, to be added to. */
    long[] group(String... names) {
      return groups.computeIfAbsent(List.of(names), key -> new long[3]);
    }

    void add(int split, int bucket, int tokenBytes) {
      if (tokenBytes > 0) bucketBytes[split * EncodedDocument.BUCKETS + bucket] += tokenBytes;
    }

    EncodedSums sums() {
      int[] buckets =
          IntStream.range(0, bucketBytes.length).filter(i -> bucketBytes[i] > 0).toArray();
      long[] bytes = new long[buckets.length];
      for (int i = 0; i < bytes.length; i++) bytes[i] = bucketBytes[buckets[i]];
      String[][] names = new String[groups.size()][];
      long[][] sums = new long[names.length][];
      int n = 0;
      for (Map.Entry<List<String>, long[]> group : groups.entrySet()) {
        names[n] = group.getKey().toArray(String[]::new);
        sums[n++] = group.getValue();
      }
      return new EncodedSums(names, sums, buckets, bytes);
    }
  }
}
