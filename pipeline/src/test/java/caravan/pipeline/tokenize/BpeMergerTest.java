package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BpeMergerTest {
  private static int[] merged(PairMerges table, int... symbols) {
    int[] run = symbols.clone();
    return Arrays.copyOf(run, new BpeMerger(table).merge(run, run.length));
  }

  @Test
  void theLowestRankGoesFirstAndOfEqualRanksTheLeftmost() {
    PairMerges table = new PairMerges();
    table.put(1, 2, 1, 12);
    table.put(2, 3, 0, 23);
    table.put(1, 1, 2, 11);
    assertThat(merged(table, 1, 2, 3)).containsExactly(1, 23);
    assertThat(merged(table, 1, 2, 4)).containsExactly(12, 4);
    assertThat(merged(table, 1, 1, 1)).containsExactly(11, 1);
  }

  @Test
  void symbolsBelowZeroNeverMerge() {
    PairMerges table = new PairMerges();
    table.put(1, 2, 0, 12);
    assertThat(merged(table, -1, -1, 1, 2, -2)).containsExactly(-1, -1, 12, -2);
  }

  @Test
  void aPairMergesInOneWay() {
    PairMerges table = new PairMerges();
    table.put(1, 2, 0, 12);
    assertThatThrownBy(() -> table.put(1, 2, 5, 13))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("two merges of the symbols 1 and 2");
  }

  /** Ranks as they come, so that a merge may make way for a better one, and many are equal. */
  @Test
  void runsOfAnyLengthMergeAsOneMergeAfterTheOtherSays() {
    Random random = new Random(5);
    for (int round = 0; round < 300; round++) {
      PairMerges table = new PairMerges();
      for (int i = 0; i < 60; i++) {
        int left = random.nextInt(12);
        int right = random.nextInt(12);
        if (table.of(left, right) == PairMerges.NONE) {
          table.put(left, right, random.nextInt(20), 4 + random.nextInt(8));
        }
      }
      int[] run = random.ints(1 + random.nextInt(200), 0, 4).toArray();
      assertThat(merged(table, run)).isEqualTo(oneByOne(table, run));
    }
  }

  private static int[] oneByOne(PairMerges table, int[] run) {
    List<Integer> symbols = new ArrayList<>(Arrays.stream(run).boxed().toList());
    while (true) {
      int at = -1;
      long best = PairMerges.NONE >>> 32;
      for (int i = 0; i + 1 < symbols.size(); i++) {
        long rank = table.of(symbols.get(i), symbols.get(i + 1)) >>> 32;
        if (rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) return symbols.stream().mapToInt(Integer::intValue).toArray();
      symbols.set(at, (int) table.of(symbols.get(at), symbols.remove(at + 1)));
    }
  }

  @Test
  void aMillionEqualSymbolsMergeInTheTimeOfASort() {
    PairMerges table = new PairMerges();
    for (int power = 0; power < 20; power++) table.put(power, power, power, power + 1);
    int[] run = new int[1 << 20];
    assertThat(merged(table, run)).containsExactly(20);
  }
}
