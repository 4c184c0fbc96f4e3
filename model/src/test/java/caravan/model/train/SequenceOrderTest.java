package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SequenceOrderTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 5, 16, 17, 1000, 4097})
  void everyEpochVisitsEverySequenceOnce(long size) {
    SequenceOrder order = new SequenceOrder(size, 7);
    for (long epoch = 0; epoch < 3; epoch++) {
      long first = epoch * size;
      long[] visited = LongStream.range(first, first + size).map(order::indexAt).sorted().toArray();
      assertThat(visited).containsExactly(LongStream.range(0, size).toArray());
    }
  }

  @Test
  void epochsAndSeedsDifferAndRepeatsDoNot() {
    assertThat(epoch(0, 7))
        .containsExactly(epoch(0, 7))
        .isNotEqualTo(epoch(1, 7))
        .isNotEqualTo(epoch(0, 8));
  }

  @Test
  void neighboursInTheOrderAreFarApartInTheData() {
    long[] visited = epoch(0, 7);
    long jumps = 0;
    for (int i = 1; i < visited.length; i++) {
      jumps += Math.abs(visited[i] - visited[i - 1]);
    }
    assertThat(jumps / (visited.length - 1.0)).isBetween(250.0, 420.0);
  }

  @Test
  void everyWorkerReadsASliceOfItsOwnThatLiesInOnePlace() {
    SequenceOrder order = new SequenceOrder(1003, 7, 4, 16);
    for (long epoch = 0; epoch < 3; epoch++) {
      Set<Long> all = new HashSet<>();
      for (int worker = 0; worker < 4; worker++) {
        long[] slice = slice(order, worker, epoch, 250);
        long first = firstOfRun(slice);
        assertThat(
                LongStream.of(slice).map(i -> Math.floorMod(i - first, 1003L)).sorted().toArray())
            .containsExactly(LongStream.range(0, 250).toArray());
        LongStream.of(slice).forEach(all::add);
      }
      assertThat(all).as("at most 3 of 1,003 are left out").hasSize(1000);
    }
    assertThat(slice(order, 1, 0, 250)).isNotEqualTo(slice(order, 1, 1, 250));
  }

  @Test
  void aWorkerReadsFromFewPlacesAtATimeButFromItsWholeSliceInTurn() {
    SequenceOrder order = new SequenceOrder(100_000, 7, 1, 1600);
    long[] first = LongStream.range(0, 1600).map(order::indexAt).toArray();
    assertThat(LongStream.of(first).map(i -> i / 100).distinct().count()).isEqualTo(16);
    assertThat(LongStream.of(first).map(i -> i / 100).max().getAsLong()).isGreaterThan(700);
    long[] epoch = LongStream.range(0, 100_000).map(order::indexAt).sorted().toArray();
    assertThat(epoch).containsExactly(LongStream.range(0, 100_000).toArray());
  }

  /** The index whose predecessor the slice lacks. */
  private static long firstOfRun(long[] slice) {
    Set<Long> in = LongStream.of(slice).boxed().collect(Collectors.toSet());
    return LongStream.of(slice)
        .filter(i -> !in.contains(Math.floorMod(i - 1, 1003L)))
        .findFirst()
        .getAsLong();
  }

  private static long[] slice(SequenceOrder order, int worker, long epoch, long length) {
    return LongStream.range(epoch * length, (epoch + 1) * length)
        .map(position -> order.indexAt(worker, position))
        .toArray();
  }

  @Test
  void refusesAnEmptyCorpus() {
    assertThatThrownBy(() -> new SequenceOrder(0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("training data: got 0 sequences, wanted at least 1");
  }

  private static long[] epoch(long epoch, long seed) {
    SequenceOrder order = new SequenceOrder(1000, seed);
    return LongStream.range(epoch * 1000, (epoch + 1) * 1000).map(order::indexAt).toArray();
  }
}
