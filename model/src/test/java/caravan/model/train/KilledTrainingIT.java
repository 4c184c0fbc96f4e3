package caravan.model.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A training that is killed with signal 9 again and again, and one that nobody disturbed. */
class KilledTrainingIT {
  private static final List<String> LAST =
      List.of("model.safetensors", "caravan/optimizer.safetensors", "caravan/state.json");

  @TempDir Path work;

  private Process start(Path output, String exchange) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(flag -> flag.startsWith("--add-") || flag.startsWith("-XX:+Ignore"))
        .forEach(command::add);
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.addAll(List.of(TrainingProcess.class.getName(), output.toString(), exchange));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(work.resolve("log").toFile())
        .start();
  }

  /** Kills a run at a moment. */
  private void kill(Path output, String exchange, BooleanSupplier moment) throws Exception {
    Process process = start(output, exchange);
    try {
      while (!moment.getAsBoolean()) {
        assertThat(process.isAlive()).as(Files.readString(work.resolve("log"))).isTrue();
        Thread.sleep(1);
      }
    } finally {
      process.destroyForcibly(); // SIGKILL
    }
    assertThat(process.waitFor()).as("killed by signal 9").isEqualTo(128 + 9);
  }

  private static int lines(Path output) {
    return MetricsLog.read(output.toString(), new Configuration()).size();
  }

  /** A checkpoint that has begun to be written and is not finished. */
  private static boolean isWriting(Path output) {
    Path checkpoints = output.resolve("checkpoints");
    if (!Files.isDirectory(checkpoints)) {
      return false;
    }
    try (Stream<Path> steps = Files.list(checkpoints)) {
      return steps.anyMatch(
          step ->
              Files.exists(step.resolve("model.safetensors"))
                  && !Files.exists(step.resolve("caravan/manifest.json")));
    } catch (IOException e) {
      return false; // One was deleted while they were listed.
    }
  }

  private static List<Object> curve(Path output) {
    return MetricsLog.read(output.toString(), new Configuration()).stream()
        .<Object>map(
            line ->
                Stream.of(
                        line.step(),
                        line.round(),
                        line.loss(),
                        line.learningRate(),
                        line.gradientNorm(),
                        line.validationLoss(),
                        line.trainingLoss())
                    .map(String::valueOf)
                    .toList())
        .toList();
  }

  @Test
  void curveWeightsAndMomentsOfAKilledTrainingAreThoseOfAnUndisturbedOne() throws Exception {
    Path killed = work.resolve("killed");
    kill(killed, "stock", () -> isWriting(killed));
    assertThat(lines(killed)).isPositive().isLessThan(TrainingProcess.STEPS);
    int far = lines(killed) + 7 + new Random().nextInt(6);
    kill(killed, "stock", () -> lines(killed) >= far);
    int further = lines(killed);
    kill(killed, "stock", () -> lines(killed) > Math.min(further, 36) && isWriting(killed));
    assertEndsAsUndisturbed(killed, "stock");
  }

  /** Executors write its checkpoints, slice by slice. */
  @Test
  void aKilledTrainingInSlicesEndsAsAnUndisturbedOne() throws Exception {
    Path killed = work.resolve("killed");
    kill(killed, "sliced", () -> isWriting(killed) && lines(killed) > 12);
    assertEndsAsUndisturbed(killed, "sliced");
  }

  private void assertEndsAsUndisturbed(Path killed, String exchange) throws Exception {
    Path whole = work.resolve("whole");
    try (JavaSparkContext spark = TrainingProcess.spark()) {
      assertThat(TrainingProcess.train(spark, whole.toString(), exchange).finished()).isTrue();
    }
    assertThat(killed.resolve("checkpoints/step-00000045/caravan/manifest.json")).doesNotExist();

    Process last = start(killed, exchange);
    assertThat(last.waitFor()).as(Files.readString(work.resolve("log"))).isZero();

    assertThat(curve(killed)).isEqualTo(curve(whole));
    assertThat(MetricsLog.read(killed.toString(), new Configuration()))
        .extracting(Metrics::step)
        .containsExactlyElementsOf(
            IntStream.rangeClosed(0, TrainingProcess.STEPS).boxed().toList());
    for (String file : LAST) {
      assertThat(killed.resolve("checkpoints/step-00000045").resolve(file))
          .hasSameBinaryContentAs(whole.resolve("checkpoints/step-00000045").resolve(file));
    }
    assertThat(names(killed.resolve("checkpoints")))
        .isEqualTo(names(whole.resolve("checkpoints")))
        .contains("best", "latest", "step-00000012", "step-00000024", "step-00000036");
    assertThat(killed.resolve("checkpoints/best"))
        .hasSameTextualContentAs(whole.resolve("checkpoints/best"));
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
