package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import caravan.model.LlamaConfig;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RopeTest {

  private static LlamaConfig config(int headDim) {
    return new LlamaConfig(headDim, 8, 1, 1, 1, headDim, 10, 200, 10_000, 1e-5, true);
  }

  private static Buffer random(int headDim, long seed) {
    Random random = new Random(seed);
    Buffer head = Buffer.allocate(headDim);
    for (int i = 0; i < headDim; i++) {
      head.set(i, (float) random.nextGaussian());
    }
    return head;
  }

  private static double dot(Buffer a, Buffer b) {
    double sum = 0;
    for (int i = 0; i < a.length(); i++) {
      sum += a.get(i) * b.get(i);
    }
    return sum;
  }

  @Test
  void component_i_is_paired_with_i_plus_half_and_slows_with_i() {
    try (Rope rope = new Rope(config(8), 200);
        Buffer head = Buffer.allocate(8)) {
      for (int i = 0; i < 8; i++) {
        head.set(i, i == 1 ? 1 : 0);
      }
      rope.rotate(head, 0, 5);
      double angle = 5 * Math.pow(10_000, -2.0 / 8);
      for (int i = 0; i < 8; i++) {
        double expected = i == 1 ? Math.cos(angle) : i == 5 ? Math.sin(angle) : 0;
        assertThat((double) head.get(i)).as("component %d", i).isCloseTo(expected, within(1e-6));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 34, 48, 64})
  void a_score_depends_on_the_distance_alone(int headDim) {
    try (Rope rope = new Rope(config(headDim), 200)) {
      double expected = Double.NaN;
      for (int position : new int[] {0, 1, 50, 180}) {
        try (Buffer query = random(headDim, 1);
            Buffer key = random(headDim, 2)) {
          rope.rotate(query, 0, position + 13);
          rope.rotate(key, 0, position);
          if (position == 0) {
            expected = dot(query, key);
          }
          assertThat(dot(query, key)).isCloseTo(expected, within(1e-4));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 8, 48})
  void turning_back_undoes_a_turn(int headDim) {
    try (Rope rope = new Rope(config(headDim), 200);
        Buffer head = random(headDim, 3);
        Buffer original = random(headDim, 3)) {
      rope.rotate(head, 0, 77);
      rope.rotateBack(head, 0, 77);
      for (int i = 0; i < headDim; i++) {
        assertThat(head.get(i)).isCloseTo(original.get(i), within(1e-5f));
      }
    }
  }
}
