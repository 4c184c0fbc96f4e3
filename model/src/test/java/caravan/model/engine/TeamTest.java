package caravan.model.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TeamTest {

  @Test
  void nobody_passes_a_barrier_before_everybody_is_there() {
    try (Team team = new Team(3)) {
      AtomicInteger arrived = new AtomicInteger();
      AtomicInteger early = new AtomicInteger();
      team.run(
          member -> {
            for (int phase = 1; phase <= 200; phase++) {
              arrived.incrementAndGet();
              team.barrier();
              if (arrived.get() < 3 * phase) {
                early.incrementAndGet();
              }
              team.barrier();
            }
          });
      assertThat(early).hasValue(0);
      assertThat(arrived).hasValue(600);
    }
  }

  @Test
  void a_failure_of_any_member_ends_the_run_and_the_team_works_on() {
    try (Team team = new Team(3)) {
      for (int failing = 0; failing < 3; failing++) {
        int member = failing;
        assertThatThrownBy(
                () ->
                    team.run(
                        i -> {
                          if (i == member) {
                            throw new ArithmeticException("broken");
                          }
                          team.barrier();
                        }))
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("engine thread failed: java.lang.ArithmeticException: broken")
            .hasCauseInstanceOf(ArithmeticException.class);
      }
      AtomicInteger done = new AtomicInteger();
      team.run(
          i -> {
            team.barrier();
            done.incrementAndGet();
          });
      assertThat(done).hasValue(3);
    }
  }

  @Test
  void a_run_takes_no_memory_in_the_heap() {
    try (Team team = new Team(3)) {
      IntConsumer work = member -> team.barrier();
      team.run(work);
      HeapBytes.allocated();
      long before = HeapBytes.allocated();
      long measuring = HeapBytes.allocated() - before;
      before = HeapBytes.allocated();
      for (int run = 0; run < 100; run++) {
        team.run(work);
      }
      assertThat(HeapBytes.allocated() - before - measuring).isLessThan(100 * 16);
    }
  }
}
