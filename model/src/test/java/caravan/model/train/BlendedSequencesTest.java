package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class BlendedSequencesTest {
  private static final BlendedSequences BLEND = blend(63, 3, 21, 1);

  /** Of sizes and weights in turn. */
  private static BlendedSequences blend(long size, double weight, long otherSize, double other) {
    return new BlendedSequences(
        List.of(
            new BlendedSequences.Part("en", "1", new PatternSource(4, size, 23, false), weight),
            new BlendedSequences.Part(
                "zh", "2", new PatternSource(4, otherSize, 23, false), other)));
  }

  @Test
  void everyPrefixHoldsTheSharesToWithinOneSequence() {
    Random random = new Random(3);
    List<double[]> mixtures =
        List.of(
            new double[] {0.7, 0.3},
            new double[] {1, 1, 1, 1, 1, 1, 1},
            new double[] {5, 1000, 17, 0.3},
            new double[] {1, 2},
            random.doubles(12, 0.001, 1).toArray());
    for (double[] weights : mixtures) {
      BlendCycle cycle = BlendCycle.of(weights);
      double sum = Arrays.stream(weights).sum();
      long[] had = new long[weights.length];
      for (int position = 0; position < 200_000; position++) {
        int source = cycle.sourceAt(position);
        assertThat(cycle.turnAt(position)).isEqualTo(had[source]++);
        for (int i = 0; i < had.length; i++) {
          double wanted = weights[i] / sum * (position + 1);
          double rounding = 5e-7 * (position + 1);
          if (Math.abs(had[i] - wanted) > 1 + rounding) {
            throw new AssertionError(
                "%s: source %d had %d turns of %d, wanted %f"
                    .formatted(Arrays.toString(weights), i, had[i], position + 1, wanted));
          }
        }
      }
    }
  }

  @Test
  void turnsGoOnAfterACycleAsIfTheyHadBeenCountedFromTheStart() {
    BlendCycle cycle = BlendCycle.of(new double[] {5, 3, 2});
    long[] had = new long[3];
    for (long position = 0; position < 1234; position++) {
      assertThat(cycle.turnAt(position)).isEqualTo(had[cycle.sourceAt(position)]++);
    }
    assertThat(cycle.sourceAt(1_000_000_000_003L)).isEqualTo(cycle.sourceAt(3));
    assertThat(cycle.turnAt(1_000_000_000_000L)).isEqualTo(500_000_000_000L);
  }

  @Test
  void eachPartHasEpochsOfItsOwnAndEachWorkerSequencesOfItsOwn() {
    ReadingOrder order = BLEND.order(7, 3);
    Map<Long, Integer> reads = new HashMap<>();
    for (int worker = 0; worker < 3; worker++) {
      Set<Long> mine = new HashSet<>();
      for (long position = 0; position < 28; position++) {
        mine.add(order.indexAt(worker, position));
      }
      assertThat(mine).as("an epoch of a third of each").hasSize(28);
      mine.forEach(index -> reads.merge(index, 1, Integer::sum));
    }
    assertThat(reads.values()).containsOnly(1);
    assertThat(reads.keySet().stream().filter(index -> index >= 63)).hasSize(21);
  }

  @Test
  void sequencesAreReadFromThePartThatTheyAreOf() {
    int[] ids = new int[4];
    int[] wanted = new int[4];
    BLEND.read(63 + 5, ids, new int[4], 0);
    new PatternSource(4, 21, 23, false).read(5, wanted, new int[4], 0);
    assertThat(ids).containsExactly(wanted);
    assertThat(BLEND.size()).isEqualTo(84);
    assertThat(BLEND.within(1, List.of(3L, 68L, 83L))).containsExactly(5L, 20L);
    assertThat(BLEND.within(0, List.of(3L, 68L, 83L))).containsExactly(3L);
    assertThatThrownBy(() -> BLEND.read(84, ids, new int[4], 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("sequence 84: wanted at least 0 and below 84");
  }

  @Test
  void aRoundTellsWhichShareWasReadFromEachPart() {
    assertThat(BLEND.shares(0, 4)).containsExactly(entry("en", 0.75), entry("zh", 0.25));
    assertThat(BLEND.shares(101, 2).values().stream().mapToDouble(s -> s).sum()).isEqualTo(1);
  }

  @Test
  void oneSourceIsReadInItsOwnOrder() {
    PatternSource source = new PatternSource(4, 61, 23, false);
    assertThat(source.order(3, 2)).isEqualTo(SequenceOrder.of(source, 3, 2));
  }

  @Test
  void refusesWeightsThatAreNoShares() {
    assertThatThrownBy(() -> BlendCycle.of(new double[] {1, 0}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("token-weights: got 0.0, wanted numbers above 0");
    assertThatThrownBy(() -> BlendCycle.of(new double[] {1, 1e-7}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("wanted each to be at least a millionth of their sum");
  }
}
