package caravan.pipeline.decontaminate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class PairSortTest {
  private final Random random = new Random(11);

  private static void assertSorted(long[] first, long[] second) {
    record Pair(long a, long b) {}
    Pair[] expected = new Pair[first.length];
    Arrays.setAll(expected, i -> new Pair(first[i], second[i]));
    Arrays.sort(expected, (x, y) -> x.a != y.a ? Long.compare(x.a, y.a) : Long.compare(x.b, y.b));
    PairSort.sort(first, second);
    Pair[] sorted = new Pair[first.length];
    Arrays.setAll(sorted, i -> new Pair(first[i], second[i]));
    assertThat(sorted).isEqualTo(expected);
  }

  @Test
  void pairsAreSortedByTheFirstThenByTheSecond() {
    for (int size : new int[] {0, 1, 2, 23, 24, 25, 1000, 20_000}) {
      assertSorted(random.longs(size).toArray(), random.longs(size).toArray());
      assertSorted(random.longs(size, 0, 5).toArray(), random.longs(size, 0, 5).toArray());
    }
  }

  @Test
  void sortedReversedAndEqualPairsAreSortedAsQuickly() {
    int size = 300_000;
    assertSorted(LongStream.range(0, size).toArray(), new long[size]);
    assertSorted(LongStream.range(0, size).map(i -> -i).toArray(), new long[size]);
    assertSorted(new long[size], new long[size]);
  }
}
