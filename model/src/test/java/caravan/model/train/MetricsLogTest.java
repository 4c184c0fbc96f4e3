package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsLogTest {
  private static final Configuration HADOOP = new Configuration();

  @TempDir Path output;

  private MetricsLog written(int steps) {
    MetricsLog log = new MetricsLog(output.toString(), HADOOP);
    for (int step = 0; step <= steps; step++) {
      log.add(line(step, null, null));
    }
    log.flush();
    return log;
  }

  private static Metrics line(int step, Double validation, Boolean spike) {
    Metrics.Timing timing =
        step % 20 == 0 ? new Metrics.Timing(1, 0, 0, null, new double[] {1}) : null;
    return new Metrics(
        step, step / 20, step, 2.0, 1e-3, 1.0, 9e3, validation, null, spike, timing, null, null);
  }

  private List<Integer> steps() {
    return MetricsLog.read(output.toString(), HADOOP).stream().map(Metrics::step).toList();
  }

  @Test
  void aResumedLogKeepsTheLinesUpToItsCheckpointAndShowsThem() throws IOException {
    written(9);
    Path file = output.resolve("metrics.jsonl");
    Files.writeString(file, "{\"step\":10,\"los", StandardOpenOption.APPEND);
    List<Integer> seen = new ArrayList<>();
    MetricsLog log =
        MetricsLog.resumed(
            output.toString(), HADOOP, output.toString(), 6, line -> seen.add(line.step()));
    assertThat(seen).containsExactly(0, 1, 2, 3, 4, 5, 6);
    assertThat(log.last().step()).isEqualTo(6);
    assertThat(steps()).isEqualTo(seen);
    log.add(line(7, null, null));
    log.flush();
    assertThat(steps()).endsWith(6, 7).hasSize(8);
    byte[] events = Files.readAllBytes(output.resolve("events.out.tfevents.1.caravan"));
    written(7);
    assertThat(output.resolve("events.out.tfevents.1.caravan")).hasBinaryContent(events);
  }

  @Test
  void aBrokenLineInTheMiddleIsNamedBeforeAnythingIsReplaced() throws IOException {
    written(2);
    Path file = output.resolve("metrics.jsonl");
    Files.writeString(file, "{oops}\n{\"step\":4}\n", StandardOpenOption.APPEND);
    byte[] before = Files.readAllBytes(file);
    assertThatThrownBy(
            () -> MetricsLog.resumed(output.toString(), HADOOP, output.toString(), 2, line -> {}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("metrics.jsonl: broken line 4: {oops}; delete the file to go on");
    assertThat(file).hasBinaryContent(before);
  }

  @Test
  void aCurveOfALongTrainingIsDrawnFromSomeThousandsOfItsLines() {
    MetricsSample sample = new MetricsSample();
    IntStream.rangeClosed(0, 1_000_000)
        .forEach(
            step ->
                sample.add(
                    line(step, step % 5000 == 0 ? 1.5 : null, step == 77_777 ? true : null)));
    List<Metrics> lines = sample.lines();
    assertThat(lines)
        .hasSizeBetween(2048, 3 * 4096 + 2)
        .isSortedAccordingTo((a, b) -> a.step() - b.step());
    assertThat(lines.get(lines.size() - 1).step()).isEqualTo(1_000_000);
    assertThat(lines).anyMatch(line -> line.step() == 77_777);
    assertThat(lines.stream().filter(line -> line.validationLoss() != null)).hasSize(201);
    assertThat(lines.stream().filter(line -> line.timing() != null).count()).isGreaterThan(2000);
  }
}
