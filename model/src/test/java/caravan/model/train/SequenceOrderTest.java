package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
