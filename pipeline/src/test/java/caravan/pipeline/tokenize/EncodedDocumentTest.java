package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.shard.ShardPlan;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import scala.Tuple2;

/** Documents in blocks, and which slice of which shard takes them. */
class EncodedDocumentTest {
  private record Given(
      String kind, long order, String source, String id, long content, int... ids) {
    void pack(BlockPacker packer, int target, TokenType dtype) {
      TokenBuffer tokens = new TokenBuffer();
      tokens.add(ids);
      EncodedDocument.Header header =
          EncodedDocument.Header.of(kind, order, content, 7, source, "zh", id);
      int bytes = ids.length * dtype.bytes();
      ByteBuffer block = packer.room(target, header.recordBytes(bytes));
      header.writeTo(block, bytes);
      tokens.writeTo(block, dtype);
    }
  }

  private static List<EncodedDocument> packed(List<Given> given) {
    Iterator<Tuple2<Integer, byte[]>> blocks =
        BlockPacker.pack(given.iterator(), 1, (g, to) -> g.pack(to, 0, TokenType.UINT16));
    List<byte[]> all = new ArrayList<>();
    blocks.forEachRemaining(block -> all.add(block._2()));
    List<EncodedDocument> documents = new ArrayList<>();
    BlockPacker.documents(all.iterator()).forEachRemaining(documents::add);
    return documents;
  }

  private static int[] ids(EncodedDocument d) {
    return IntStream.range(0, d.tokenBytes() / 2)
        .map(i -> Short.toUnsignedInt(d.block().getShort(d.tokensFrom() + 2 * i)))
        .toArray();
  }

  @Test
  void aDocumentComesOutOfItsBlockAsItWentIn() {
    int[] large = IntStream.range(0, 400_000).map(i -> i % 65_536).toArray();
    List<EncodedDocument> documents =
        packed(
            List.of(
                new Given("train", -3, "网", "文档", 5, 1, 65_535, 2),
                new Given("unreadable", 4, "", "", 6),
                new Given("test", Long.MAX_VALUE, "web", "𠮷", -7, large)));
    assertThat(documents).hasSize(3);
    EncodedDocument first = documents.get(0);
    assertThat(List.of(first.kind(), first.source(), first.language(), first.id()))
        .containsExactly("train", "网", "zh", "文档");
    assertThat(List.of(first.order(), first.content(), first.textBytes()))
        .containsExactly(-3L, 5L, 7L);
    assertThat(ids(first)).containsExactly(1, 65_535, 2);
    assertThat(first.isWritten()).isTrue();
    assertThat(documents.get(1).isWritten()).isFalse();
    assertThat(documents.get(1).tokenBytes()).isZero();
    assertThat(documents.get(2).id()).isEqualTo("𠮷");
    assertThat(documents.get(2).bucket()).isEqualTo(EncodedDocument.BUCKETS - 1);
    assertThat(ids(documents.get(2))).isEqualTo(large);
    assertThat(first.isOfGroup(documents.get(0))).isTrue();
    assertThat(first.isOfGroup(documents.get(2))).isFalse();
  }

  @Test
  void documentsAreSortedByPlaceAndEqualOnesToTheLastByte() {
    List<Given> sorted =
        List.of(
            new Given("train", Long.MIN_VALUE, "z", "z", 9, 9),
            new Given("train", -1, "z", "z", 9, 9),
            new Given("train", 0, "a", "b", 1, 1),
            new Given("train", 0, "a", "ba", -2, 1),
            new Given("train", 0, "a", "ba", 2, 1),
            new Given("train", 0, "a", "ba", 2, 1, 1),
            new Given("train", 0, "a", "ba", 2, 200),
            new Given("train", 0, "ab", "a", 1, 1),
            new Given("train", 0, "é", "a", 1, 1));
    List<EncodedDocument> wanted = packed(sorted);
    List<EncodedDocument> shuffled = new ArrayList<>(wanted);
    Collections.shuffle(shuffled, new Random(1));
    Collections.sort(shuffled);
    assertThat(shuffled).isEqualTo(wanted);
  }

  @Test
  void slicesPartAShardsBucketsAndNoSliceLiesInTwoShards() {
    Random random = new Random(3);
    long[] train = new long[EncodedDocument.BUCKETS];
    for (int i = 0; i < 3000; i++) train[random.nextInt(train.length)] = random.nextInt(100_000);
    long[] validation = new long[EncodedDocument.BUCKETS];
    validation[77] = 5;
    ShardSlices slices =
        new ShardSlices(
            Map.of(
                TokenManifest.TRAIN, train,
                TokenManifest.VALIDATION, validation,
                TokenManifest.TEST, new long[EncodedDocument.BUCKETS]),
            2,
            split -> 20_000_000);
    long tokens = Arrays.stream(train).sum();
    assertThat(slices.shards()).hasSize((int) (tokens / 20_000_000) + 2);
    assertThat(slices.shards().get(slices.shards().size() - 1))
        .returns(TokenManifest.VALIDATION, ShardSlices.ShardRange::split)
        .returns(slices.count(), ShardSlices.ShardRange::endSlice);
    ShardPlan plan = new ShardPlan(train, 20_000_000);
    long[] ofSlice = new long[slices.count()];
    int before = 0;
    for (int bucket = 0; bucket < train.length; bucket++) {
      int slice = slices.slice(0, bucket);
      assertThat(slice).isBetween(before, before + 1);
      ShardSlices.ShardRange shard = slices.shards().get(plan.shardOf(bucket));
      assertThat(slice).isBetween(shard.firstSlice(), shard.endSlice() - 1);
      ofSlice[slice] += train[bucket];
      before = slice;
    }
    int next = 0;
    for (ShardSlices.ShardRange shard : slices.shards()) {
      assertThat(shard.firstSlice()).isEqualTo(next);
      next = shard.endSlice();
      if (!shard.split().equals(TokenManifest.TRAIN)) continue;
      for (int slice = shard.firstSlice(); slice < shard.endSlice(); slice++) {
        assertThat(ofSlice[slice]).isLessThan(4_194_304 + 100_000);
        if (slice < shard.endSlice() - 1)
          assertThat(ofSlice[slice]).isGreaterThanOrEqualTo(4_194_304);
      }
    }
    assertThat(next).isEqualTo(slices.count());
  }
}
