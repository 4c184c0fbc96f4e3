package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import sun.misc.Signal;

class StopRequestTest {
  @Test
  void aTerminationSignalBecomesARequest() throws InterruptedException {
    try (StopRequest stop = new StopRequest()) {
      assertThat(stop.getAsBoolean()).isFalse();
      Signal.raise(new Signal("TERM"));
      for (int i = 0; i < 200 && !stop.getAsBoolean(); i++) {
        Thread.sleep(10);
      }
      assertThat(stop.getAsBoolean()).isTrue();
    }
  }
}
