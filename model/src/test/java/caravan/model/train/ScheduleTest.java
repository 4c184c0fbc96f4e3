package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ScheduleTest {
  /** Of 20 steps with 4 of warmup, and two beyond the end. */
  private static double[] rates(Schedule.Kind kind, double floor) {
    Schedule schedule = new Schedule(kind, 3e-4, floor, 4, 20, 8);
    return IntStream.range(0, 22).mapToDouble(step -> schedule.valueAt(step, 0)).toArray();
  }

  /** PyTorch's LinearLR(start_factor=1/4, total_iters=3), then constant. */
  @Test
  void warmsUpAndStaysConstant() {
    assertThat(rates(Schedule.Kind.CONSTANT, 3e-5))
        .containsExactly(
            new double[] {
              7.5e-5, 1.5e-4, 2.25e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4,
              3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4, 3e-4
            },
            within(1e-18));
  }

  /** From step 4 on transformers' get_linear_schedule_with_warmup(optimizer, 4, 20). */
  @Test
  void warmsUpAndFallsLinearlyToNothing() {
    assertThat(rates(Schedule.Kind.LINEAR, 0))
        .containsExactly(
            new double[] {
              7.5e-5, 1.5e-4, 2.25e-4, 3e-4, 3e-4, 2.8125e-4, 2.625e-4, 2.4375e-4, 2.25e-4,
              2.0625e-4, 1.875e-4, 1.6875e-4, 1.5e-4, 1.3125e-4, 1.125e-4, 9.375e-5, 7.5e-5,
              5.625e-5, 3.75e-5, 1.875e-5, 0, 0
            },
            within(1e-18));
  }

  @Test
  void warmsUpAndFallsLinearlyToTheFloor() {
    assertThat(rates(Schedule.Kind.LINEAR, 1.4e-4))
        .containsExactly(
            new double[] {
              7.5e-5, 1.5e-4, 2.25e-4, 3e-4, 3e-4, 2.9e-4, 2.8e-4, 2.7e-4, 2.6e-4, 2.5e-4, 2.4e-4,
              2.3e-4, 2.2e-4, 2.1e-4, 2e-4, 1.9e-4, 1.8e-4, 1.7e-4, 1.6e-4, 1.5e-4, 1.4e-4, 1.4e-4
            },
            within(1e-18));
  }

  /**
   * From step 4 on transformers' get_cosine_with_min_lr_schedule_with_warmup(optimizer, 4, 20,
   * min_lr=3e-5), with the warmup PyTorch's SequentialLR of LinearLR and CosineAnnealingLR(16,
   * 3e-5); those rise again after the end, ours stays.
   */
  @Test
  void warmsUpAndFallsAlongHalfACosineToTheFloor() {
    assertThat(rates(Schedule.Kind.COSINE, 3e-5))
        .containsExactly(
            new double[] {
              7.5e-5,
              1.5e-4,
              2.25e-4,
              3e-4,
              3e-4,
              2.974060128544361e-4,
              2.897237368890237e-4,
              2.772483976608436e-4,
              2.604594154601839e-4,
              2.400019814576463e-4,
              2.1666226336928708e-4,
              1.9133719347217733e-4,
              1.65e-4,
              1.3866280652782267e-4,
              1.1333773663071288e-4,
              8.999801854235373e-5,
              6.954058453981609e-5,
              5.275160233915637e-5,
              4.027626311097629e-5,
              3.259398714556389e-5,
              3e-5,
              3e-5
            },
            within(1e-18));
  }

  /**
   * From step 4 on transformers' get_wsd_schedule(optimizer, num_warmup_steps=4, num_decay_steps=8,
   * num_training_steps=20, decay_type="1-sqrt", min_lr_ratio=0.1).
   */
  @Test
  void warmsUpStaysAndFallsByOneMinusTheRootOverTheLastSteps() {
    assertThat(rates(Schedule.Kind.WSD, 3e-5))
        .containsExactly(
            new double[] {
              7.5e-5,
              1.5e-4,
              2.25e-4,
              3e-4,
              3e-4,
              3e-4,
              3e-4,
              3e-4,
              3e-4,
              3e-4,
              3e-4,
              3e-4,
              3e-4,
              2.045405845398161e-4,
              1.65e-4,
              1.346594423621355e-4,
              1.0908116907963214e-4,
              8.654625793863438e-5,
              6.617314097820157e-5,
              4.7438126392758966e-5,
              3e-5,
              3e-5
            },
            within(1e-18));
  }

  @Test
  void withoutWarmupTheFirstStepHasTheWholeRate() {
    Schedule schedule = new Schedule(Schedule.Kind.LINEAR, 1.0, 0, 0, 4, 0);
    assertThat(IntStream.range(0, 5).mapToDouble(s -> schedule.valueAt(s, 0)).toArray())
        .containsExactly(1, 0.75, 0.5, 0.25, 0);
  }

  @Test
  void aDecayLongerThanWhatIsLeftBeginsAfterTheWarmup() {
    Schedule schedule = new Schedule(Schedule.Kind.WSD, 1.0, 0, 2, 6, 100);
    assertThat(schedule.valueAt(2, 0)).isEqualTo(1);
    assertThat(schedule.valueAt(3, 0)).isEqualTo(0.5);
    assertThat(schedule.valueAt(6, 0)).isZero();
  }
}
