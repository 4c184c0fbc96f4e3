package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BucketWindowTest {
  private final BucketWindow window = new BucketWindow(4);

  @Test
  void everyPairOfANormalBucketIsCompared() {
    List<String> pairs = new ArrayList<>();
    for (long key = 1; key <= 5; key++) {
      add(pairs, 9, key);
    }
    assertThat(pairs)
        .containsExactlyInAnyOrder(
            "1-2", "1-3", "2-3", "1-4", "2-4", "3-4", "1-5", "2-5", "3-5", "4-5");
  }

  @Test
  void membersOfDifferentBucketsAreNotPaired() {
    List<String> pairs = new ArrayList<>();
    add(pairs, 0, 1);
    add(pairs, 0, 2);
    add(pairs, 1, 1);
    add(pairs, 2, 3);
    add(pairs, 2, 4);
    assertThat(pairs).containsExactly("1-2", "3-4");
  }

  @Test
  void aKeyIsNotPairedWithItself() {
    List<String> pairs = new ArrayList<>();
    add(pairs, 5, 0);
    add(pairs, 5, 0);
    add(pairs, 5, 3);
    assertThat(pairs).containsExactly("0-3");
  }

  @Test
  void aHugeBucketCostsLinearlyManyPairsAndNoMemberIsInMany() {
    int size = 100_000;
    Map<Long, Integer> degrees = new HashMap<>();
    long pairs = 0;
    BucketWindow wide = new BucketWindow(64);
    for (long key = 0; key < size; key++) {
      int partners = wide.accept(1, key, true);
      pairs += partners;
      degrees.merge(key, partners, Integer::sum);
      for (int i = 0; i < partners; i++) {
        degrees.merge(wide.partner(i), 1, Integer::sum);
      }
    }
    assertThat(pairs).isLessThan(8L * size);
    assertThat(degrees.values()).allMatch(degree -> degree >= 7 && degree <= 72);
  }

  @Test
  void membersOfEarlierRunsArePairedWithNewOnesAlone() {
    List<String> pairs = new ArrayList<>();
    for (long key = 1; key <= 5; key++) {
      int partners = window.accept(7, key, key == 3);
      for (int i = 0; i < partners; i++) {
        pairs.add(window.partner(i) + "-" + key);
      }
    }
    assertThat(pairs).containsExactlyInAnyOrder("1-3", "2-3", "3-4", "3-5");
  }

  private void add(List<String> pairs, long bucket, long key) {
    int partners = window.accept(bucket, key, true);
    for (int i = 0; i < partners; i++) {
      pairs.add(window.partner(i) + "-" + key);
    }
  }
}
