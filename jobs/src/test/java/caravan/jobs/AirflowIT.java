package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * The DAG's tests ({@code airflow/tests}), in Airflow's own Python environment: its policy, and
 * runs that spark-submit the packaged jar. Their output is in {@code
 * jobs/target/airflow-tests.log}.
 */
class AirflowIT {
  /** The tests take minutes; making two Python environments first takes some more. */
  private static final long LIMIT_MINUTES = 30;

  private static final long GRACE_SECONDS = 10;
  private static final int SHOWN_LINES = 200;

  @Test
  void theDagKeepsItsPolicyAndItsRealRunsPromoteOrRefuse() throws Exception {
    Path root = Path.of(System.getProperty("caravan.root"));
    Path log = root.resolve("jobs/target/airflow-tests.log");
    Process tests =
        new ProcessBuilder(root.resolve("airflow/tests/run").toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    Thread stopped = new Thread(() -> end(tests));
    Runtime.getRuntime().addShutdownHook(stopped);
    try {
      boolean finished = tests.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES);
      assertThat(finished).as("ends in %d minutes%n%s", LIMIT_MINUTES, tail(log)).isTrue();
      assertThat(tests.exitValue()).as(tail(log)).isZero();
    } finally {
      end(tests);
      Runtime.getRuntime().removeShutdownHook(stopped);
    }
  }

  /** Asks pytest to end, which ends Airflow and Spark below it; what is left then is killed. */
  private static void end(Process tests) {
    List<ProcessHandle> started = tests.descendants().toList();
    tests.destroy();
    tests.onExit().completeOnTimeout(tests, GRACE_SECONDS, TimeUnit.SECONDS).join();
    started.forEach(ProcessHandle::destroyForcibly);
    tests.destroyForcibly();
  }

  private static String tail(Path log) throws IOException {
    List<String> lines = Files.readAllLines(log);
    return "the end of %s:%n%s"
        .formatted(
            log,
            String.join(
                "\n", lines.subList(Math.max(0, lines.size() - SHOWN_LINES), lines.size())));
  }
}
