package caravan.pipeline.tokenize;

import caravan.pipeline.ByNumber;
import caravan.pipeline.Json;
import caravan.pipeline.shard.ShardFormat;
import caravan.pipeline.shard.ShardWriter;
import caravan.pipeline.shard.TokenType;
import caravan.pipeline.tokenize.ShardSlices.ShardRange;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.PartitionCoalescer;
import org.apache.spark.rdd.PartitionGroup;
import org.apache.spark.rdd.RDD;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.SerializableConfiguration;
import scala.Option;
import scala.Tuple2;

/**
 * A corpus that is encoded once, lies on the executors' disks as blocks of {@link EncodedDocument},
 * is counted, and goes from there into its shards. Spark moves a document once, within a block, to
 * the task that writes its shard; no task holds more than a slice ({@link ShardSlices}).
 */
final class EncodedCorpus implements AutoCloseable {
  private final JavaSparkContext sc;
  private final TokenType dtype;
  private final long seed;
  private final List<Broadcast<?>> shared = new ArrayList<>();
  private final JavaRDD<byte[]> blocks;

  /** Nothing is encoded before it is asked for. */
  EncodedCorpus(
      JavaSparkContext sc,
      SplitInputs inputs,
      Tokenizer tokenizer,
      TokenizeConfig config,
      long seed) {
    this.sc = sc;
    this.dtype = TokenType.forVocabulary(tokenizer.vocabSize());
    this.seed = seed;
    // Bytes, because they cross under any spark.serializer; executors keep one tokenizer each.
    Broadcast<Map<String, byte[]>> files = share(new HashMap<>(tokenizer.files()));
    Broadcast<HeldOutTexts> heldOut = share(HeldOutTexts.of(inputs));
    this.blocks =
        inputs.parts().stream()
            .map(
                part ->
                    part.documents()
                        .mapPartitions(
                            new DocumentEncoder(files, heldOut, dtype, config, seed, part.split())))
            .reduce(JavaRDD::union)
            .orElseThrow()
            .persist(StorageLevel.DISK_ONLY());
  }

  private <T> Broadcast<T> share(T value) {
    Broadcast<T> broadcast = sc.broadcast(value);
    shared.add(broadcast);
    return broadcast;
  }

  /** What was encoded. */
  EncodedTotals totals() {
    return EncodedSums.of(blocks, MixedCopies.ONCE).totals(dtype.bytes());
  }

  /** What the mixture makes of it. */
  EncodedTotals totals(Mixture mixture) {
    return EncodedSums.of(blocks, new MixedCopies(mixture, seed)).totals(dtype.bytes());
  }

  /**
   * Writes the shards.
   *
   * @param totals of what is to be written
   * @param shardTokens tokens that fill a split's shard
   * @return the shards by split and index
   */
  List<ShardWriter.Written> write(
      EncodedTotals totals,
      MixedCopies copies,
      ToLongFunction<String> shardTokens,
      Path directory,
      ShardFormat format,
      int vocabSize) {
    ShardSlices plan = new ShardSlices(totals.bucketTokens(), dtype.bytes(), shardTokens);
    Broadcast<ShardSlices> slices = share(plan);
    JavaRDD<EncodedDocument> sorted =
        blocks
            .mapPartitionsToPair(part -> routed(part, copies, slices.value()))
            .partitionBy(new ByNumber(plan.count()))
            .values()
            .mapPartitions(EncodedCorpus::sorted);
    ShardPartitionWriter writer =
        new ShardPartitionWriter(
            new SerializableConfiguration(sc.hadoopConfiguration()),
            directory.toString(),
            format,
            vocabSize,
            slices);
    List<ShardWriter.Written> written = new ArrayList<>();
    for (String json : inShards(sorted, slices).mapPartitionsWithIndex(writer, true).collect()) {
      try {
        written.add(Json.MAPPER.readValue(json, ShardWriter.Written.class));
      } catch (JsonProcessingException e) {
        throw new IllegalStateException("a shard's description cannot be read: " + json, e);
      }
    }
    written.sort(
        Comparator.comparing((ShardWriter.Written w) -> w.shard().split())
            .thenComparing(w -> w.shard().index()));
    return written;
  }

  private static Iterator<Tuple2<Integer, byte[]>> routed(
      Iterator<byte[]> blocks, MixedCopies copies, ShardSlices slices) {
    return BlockPacker.pack(
        BlockPacker.documents(blocks),
        slices.count(),
        (document, packer) -> {
          if (!document.isWritten()) return;
          for (long order : copies.orders(document)) {
            int slice = slices.slice(document.split(), EncodedDocument.bucket(order));
            document.copyTo(packer.room(slice, document.bytes()), order);
          }
        });
  }

  private static Iterator<EncodedDocument> sorted(Iterator<byte[]> blocks) {
    List<EncodedDocument> documents = new ArrayList<>();
    BlockPacker.documents(blocks).forEachRemaining(documents::add);
    documents.sort(null);
    return documents.iterator();
  }

  /** One partition per shard, of its slices one after the other. */
  private static JavaRDD<EncodedDocument> inShards(
      JavaRDD<EncodedDocument> slices, Broadcast<ShardSlices> plan) {
    return slices
        .rdd()
        .coalesce(plan.value().shards().size(), false, Option.apply(new ShardsOfSlices(plan)), null)
        .toJavaRDD();
  }

  /** Spark asks for Scala's mark of what can be serialized. */
  private record ShardsOfSlices(Broadcast<ShardSlices> plan)
      implements PartitionCoalescer, scala.Serializable {
    @Override
    public PartitionGroup[] coalesce(int shards, RDD<?> slices) {
      return plan.value().shards().stream()
          .map(shard -> group(shard, slices))
          .toArray(PartitionGroup[]::new);
    }

    private static PartitionGroup group(ShardRange shard, RDD<?> slices) {
      PartitionGroup group = new PartitionGroup(Option.empty());
      for (int slice = shard.firstSlice(); slice < shard.endSlice(); slice++) {
        group.partitions().$plus$eq(slices.partitions()[slice]);
      }
      return group;
    }
  }

  @Override
  public void close() {
    blocks.unpersist(false);
    shared.forEach(Broadcast::destroy);
  }
}
