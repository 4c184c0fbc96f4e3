package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ShingleSetTest {
  private final Shingles shingles = new Shingles(5);
  private final RandomTexts random = new RandomTexts(5);

  @Test
  void aSetHoldsTheUpperHalfOfEachHashOnceInOrder() {
    for (String text :
        new String[] {
          "",
          "…",
          "好",
          "今天天气很好今天天气很好",
          random.han(1),
          random.words(4000),
          random.han(30_000),
          "one two three four five 一二三四五",
          "𠮷野家吃飯𠮷野家"
        }) {
      int[] expected =
          Arrays.stream(shingles.set(text))
              .mapToInt(hash -> (int) (hash >>> 32) ^ Integer.MIN_VALUE)
              .sorted()
              .distinct()
              .toArray();
      assertThat(ShingleSet.values(ShingleSet.of(text, shingles))).isEqualTo(expected);
    }
  }

  @Test
  void aShingleTakesHardlyMoreThanThreeBytes() {
    assertThat(ShingleSet.of(random.words(404), shingles).length).isBetween(1200, 1300);
    assertThat(ShingleSet.of(random.han(5004), shingles).length).isBetween(13_000, 13_600);
  }

  @Test
  void similarityIsThatOfTheWholeHashes() {
    Random order = new Random(6);
    for (int i = 0; i < 200; i++) {
      String text = random.words(100 + order.nextInt(300));
      String other = text.substring(order.nextInt(text.length())) + random.han(order.nextInt(90));
      int[] a = ShingleSet.values(ShingleSet.of(text, shingles));
      int[] b = ShingleSet.values(ShingleSet.of(other, shingles));
      assertThat(ShingleSet.jaccard(a, b))
          .isEqualTo(Shingles.jaccard(shingles.set(text), shingles.set(other)));
    }
    assertThat(ShingleSet.jaccard(new int[0], new int[0])).isZero();
  }
}
