package caravan.pipeline.shard;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ShardPlanTest {
  @Test
  void aShardClosesOnceItIsFullAndEmptyBucketsOpenNone() {
    ShardPlan plan = new ShardPlan(new long[] {0, 4, 5, 3, 0, 0, 9, 0}, 9);
    assertThat(IntStream.range(0, 8).map(plan::shardOf)).containsExactly(0, 0, 0, 1, 1, 1, 1, 1);
    assertThat(plan.shardCount()).isEqualTo(2);
  }

  @Test
  void noTokensMakeNoShard() {
    assertThat(new ShardPlan(new long[16], 100).shardCount()).isZero();
  }

  @Test
  void aDocumentLargerThanAShardIsAShard() {
    ShardPlan plan = new ShardPlan(new long[] {1000, 1, 1000}, 10);
    assertThat(plan.shardCount()).isEqualTo(2);
    assertThat(plan.shardOf(0)).isZero();
    assertThat(plan.shardOf(2)).isEqualTo(1);
  }
}
