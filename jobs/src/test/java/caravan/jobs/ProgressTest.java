package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

  private void showTwice(boolean terminal) throws InterruptedException {
    CountDownLatch shown = new CountDownLatch(3);
    Progress progress =
        new Progress(
            out,
            terminal,
            () -> {
              shown.countDown();
              return Optional.of("clean: 1 of 2 tasks");
            },
            Duration.ofMillis(5));
    assertThat(shown.await(10, TimeUnit.SECONDS)).isTrue();
    progress.close();
  }

  @Test
  void aTerminalSeesOneLineThatIsRewrittenAndErasedAtTheEnd() throws InterruptedException {
    showTwice(true);
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .doesNotContain("\n")
        .startsWith("clean: 1 of 2 tasks\r")
        .endsWith("\r");
  }

  @Test
  void aLogSeesPlainLines() throws InterruptedException {
    showTwice(false);
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .doesNotContain("\r")
        .startsWith("clean: 1 of 2 tasks\nclean: 1 of 2 tasks\n");
  }

  @Test
  void timesAreReadAsClocks() {
    assertThat(Progress.clock(Duration.ofSeconds(62))).isEqualTo("01:02");
    assertThat(Progress.clock(Duration.ofSeconds(3723))).isEqualTo("1:02:03");
  }
}
