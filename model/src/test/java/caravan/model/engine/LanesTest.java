package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class LanesTest {

  private static float exp(float x) {
    return Lanes.exp(FloatVector.broadcast(Buffer.LANES, x)).lane(Buffer.WIDTH - 1);
  }

  @Test
  void exponential_is_within_two_units_in_the_last_place() {
    Random random = new Random(1);
    double worst = 0;
    for (int i = 0; i < 200_000; i++) {
      float x = (float) (random.nextDouble() * 174 - 87);
      double exact = Math.exp(x);
      worst = Math.max(worst, Math.abs(exp(x) - exact) / Math.ulp((float) exact));
    }
    assertThat(worst).isLessThan(2);
  }

  @Test
  void exponential_of_the_extremes_is_exact() {
    assertThat(exp(0)).isEqualTo(1f);
    assertThat(exp(-0f)).isEqualTo(1f);
    assertThat(exp(Float.NEGATIVE_INFINITY)).isEqualTo(0f);
    assertThat(exp(-1e30f)).isEqualTo(0f);
    assertThat(exp(-104)).isEqualTo(0f);
    assertThat(exp(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(exp(1e30f)).isEqualTo(Float.POSITIVE_INFINITY);
    assertThat(exp(Float.NaN)).isNaN();
  }

  @Test
  void sum_takes_every_lane_once() {
    float[] powers = new float[Buffer.WIDTH];
    float expected = 0;
    for (int i = 0; i < powers.length; i++) {
      powers[i] = 1 << i;
      expected += powers[i];
    }
    assertThat(Lanes.sum(FloatVector.fromArray(Buffer.LANES, powers, 0))).isEqualTo(expected);
  }

  @Test
  void compiled_code_rounds_as_the_interpreter_does() {
    Random random = new Random(2);
    float[] values = new float[Buffer.WIDTH];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    FloatVector v = FloatVector.fromArray(Buffer.LANES, values, 0);
    float cold = Lanes.sum(Lanes.exp(v));
    for (int i = 0; i < 200_000; i++) {
      assertThat(Lanes.sum(Lanes.exp(v)) == cold).as("call %d", i).isTrue();
    }
  }
}
