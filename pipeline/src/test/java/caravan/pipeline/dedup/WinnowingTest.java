package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WinnowingTest {
  private final Random random = new Random(5);

  private record Anchor(int place, long hash) {}

  @Test
  void equalWindowsHaveEqualAnchorsInTheSamePlaceWhateverIsAroundThem() {
    for (int width : new int[] {10, 11, 50}) {
      long[] shared = units(3 * width, 100);
      List<Anchor> alone = anchors(shared, width);
      for (int shift = 0; shift < 2 * width; shift++) {
        long[] longer = units(shared.length + 2 * width, 100);
        System.arraycopy(shared, 0, longer, shift, shared.length);
        List<Anchor> within = anchors(longer, width);
        for (int window = 0; window < alone.size(); window++) {
          Anchor anchor = within.get(shift + window);
          assertThat(new Anchor(anchor.place - shift, anchor.hash)).isEqualTo(alone.get(window));
        }
      }
    }
  }

  @Test
  void anAnchorIsTheLastOfTheSmallestRunsOfItsWindow() {
    int width = 12;
    long[] units = units(300, 2); // few different units: many runs are equal
    List<Anchor> anchors = anchors(units, width);
    assertThat(anchors).hasSize(units.length - width + 1);
    for (int window = 0; window < anchors.size(); window++) {
      Anchor best = null;
      for (int place = window; place + width / 2 <= window + width; place++) {
        long hash = hash(Arrays.copyOfRange(units, place, place + width / 2));
        best = best == null || hash <= best.hash ? new Anchor(place, hash) : best;
      }
      assertThat(anchors.get(window)).isEqualTo(best);
    }
  }

  private static long hash(long[] run) {
    long hash = 0;
    for (long unit : run) {
      hash = hash * 0x9E3779B97F4A7C15L + unit;
    }
    return Shingles.mix(hash) & Long.MAX_VALUE;
  }

  @Test
  void ofRandomTextOneUnitInFourteenStartsAnAnchor() {
    long distinct =
        anchors(units(100_000, Integer.MAX_VALUE), 50).stream()
            .map(Anchor::place)
            .distinct()
            .count();
    assertThat(distinct / 100_000.0).isBetween(0.065, 0.08);
  }

  @Test
  void shortTextsHaveNone() {
    assertThat(anchors(units(49, 9), 50)).isEmpty();
    assertThat(anchors(units(50, 9), 50)).hasSize(1);
    assertThat(anchors(new long[0], 50)).isEmpty();
  }

  private static List<Anchor> anchors(long[] units, int width) {
    List<Anchor> anchors = new ArrayList<>();
    Winnowing winnowing = new Winnowing(units, width);
    while (winnowing.next()) {
      assertThat(winnowing.window()).isEqualTo(anchors.size());
      assertThat(winnowing.anchor())
          .isBetween(winnowing.window(), winnowing.window() + width - width / 2);
      anchors.add(new Anchor(winnowing.anchor(), winnowing.anchorHash()));
    }
    return anchors;
  }

  private long[] units(int count, int different) {
    return random.ints(count, 0, different).mapToLong(Shingles::mix).toArray();
  }
}
