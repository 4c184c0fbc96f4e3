package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ScheduleTest {
  private static double[] rates(Schedule.Kind kind) {
    Schedule schedule = new Schedule(kind, 1.0, 0.2, 2, 6, 0);
    return IntStream.range(0, 8).mapToDouble(step -> schedule.valueAt(step, 0)).toArray();
  }

  @Test
  void warmsUpAndStaysConstant() {
    assertThat(rates(Schedule.Kind.CONSTANT)).containsExactly(0.5, 1, 1, 1, 1, 1, 1, 1);
  }

  @Test
  void warmsUpAndFallsLinearlyToTheFloor() {
    assertThat(rates(Schedule.Kind.LINEAR))
        .containsExactly(new double[] {0.5, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2}, within(1e-12));
  }

  @Test
  void warmsUpStaysAndFallsByOneMinusTheRootOverTheLastSteps() {
    Schedule schedule = new Schedule(Schedule.Kind.WSD, 1.0, 0.2, 2, 10, 4);
    double[] rates = IntStream.range(0, 12).mapToDouble(s -> schedule.valueAt(s, 0)).toArray();
    double half = 0.2 + 0.8 * (1 - Math.sqrt(0.5));
    double last = 0.2 + 0.8 * (1 - Math.sqrt(0.75));
    assertThat(rates)
        .containsExactly(
            new double[] {0.5, 1, 1, 1, 1, 1, 1, 0.6, half, last, 0.2, 0.2}, within(1e-12));
  }

  @Test
  void aDecayLongerThanWhatIsLeftBeginsAfterTheWarmup() {
    Schedule schedule = new Schedule(Schedule.Kind.WSD, 1.0, 0, 2, 6, 100);
    assertThat(schedule.valueAt(2, 0)).isEqualTo(1);
    assertThat(schedule.valueAt(3, 0)).isEqualTo(0.5);
    assertThat(schedule.valueAt(6, 0)).isZero();
  }

  @Test
  void warmsUpAndFallsAlongHalfACosine() {
    double eighth = Math.cos(Math.PI / 4);
    assertThat(rates(Schedule.Kind.COSINE))
        .containsExactly(
            new double[] {0.5, 1, 1, 0.6 + 0.4 * eighth, 0.6, 0.6 - 0.4 * eighth, 0.2, 0.2},
            within(1e-12));
  }
}
