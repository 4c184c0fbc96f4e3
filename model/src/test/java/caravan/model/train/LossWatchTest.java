package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class LossWatchTest {
  private static LossWatch watch(Map<String, Object> settings) {
    return new LossWatch(TrainConfigs.with(TrainConfigs.SMALL, settings));
  }

  @Test
  void aLossFarAboveTheHundredBeforeIsASpike() {
    LossWatch watch = watch(Map.of("spikeDeviations", 10.0));
    for (int i = 0; i < 99; i++) {
      watch.seeLoss(2 + 0.1 * (i % 3));
    }
    assertThat(watch.isSpike(9)).as("of too few losses nothing is said").isFalse();
    watch.seeLoss(2.1);
    // Median 2.1, median absolute deviation 0.1: spikes begin at 2.1 + 10 · 0.14826.
    assertThat(watch.isSpike(3.58)).isFalse();
    assertThat(watch.isSpike(3.59)).isTrue();
    watch.seeLoss(100);
    assertThat(watch.isSpike(3.59)).as("a spike does not hide the next").isTrue();
    assertThat(watch(Map.of("spikeDeviations", 0.0)).isSpike(1e9)).isFalse();
  }

  @Test
  void trainingEndsAfterSoManyMeasurementsWithoutEnoughImprovement() {
    LossWatch watch = watch(Map.of("earlyStopping", new EarlyStoppingConfig(2, 0.1)));
    watch.seeValidation(3);
    watch.seeValidation(2.95);
    assertThat(watch.exhausted()).isFalse();
    watch.seeValidation(2.85);
    assertThat(watch.exhausted()).as("2.85 is better than 3 by more than 0.1").isFalse();
    watch.seeValidation(2.80);
    watch.seeValidation(2.76);
    assertThat(watch.exhausted()).isTrue();
  }
}
