package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.model.checkpoint.CheckpointStore;
import caravan.model.train.Metrics;
import caravan.model.train.MetricsLog;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A training that is sent SIGTERM while a checkpoint is being written beside it. */
class StoppedTrainingIT {
  private static final int STEPS = 40;

  @TempDir Path work;

  private List<String> settings(Path output) throws IOException {
    Path chat = work.resolve("chat.csv");
    Files.writeString(
        chat,
        "text\n\"<s>Human: what is the sky?\n</s><s>Assistant: the sky is blue\n</s>\"\n"
            + "\"<s>Human: 你叫什么\n</s><s>Assistant: 我叫 Caravan。\n</s>\"\n");
    Path model = work.resolve("model");
    String checkpoint = Files.exists(model) ? model.toString() : TinyModel.write(model);
    return List.of(
        "sft",
        "input=" + chat,
        "checkpoint=" + checkpoint,
        "output=" + output,
        "train.steps=" + STEPS,
        "train.averaging-steps=1",
        "train.checkpoint-steps=1",
        "train.keep-last=3",
        "train.sequence-length=64",
        "train.batch-sequences=2",
        "train.warmup-steps=0",
        "sft.validation-fraction=0",
        "--master",
        "local[2]");
  }

  private Process start(Path output) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(flag -> flag.startsWith("--add-") || flag.startsWith("-XX:+Ignore"))
        .forEach(command::add);
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(Caravan.class.getName());
    command.addAll(settings(output));
    File log = work.resolve("log").toFile();
    return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log).start();
  }

  private String log() throws IOException {
    return Files.readString(work.resolve("log"));
  }

  /** Directories of checkpoints, with a manifest or without. */
  private static List<Path> checkpoints(Path output, boolean finished) {
    Path all = output.resolve("checkpoints");
    if (!Files.isDirectory(all)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(all)) {
      return files
          .filter(Files::isDirectory)
          .filter(step -> Files.exists(step.resolve("caravan/manifest.json")) == finished)
          .toList();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void sigtermAmidAnAsynchronousWriteLeavesWholeCheckpointsAndTheSameCurve() throws Exception {
    Path output = work.resolve("stopped");
    Process process = start(output);
    try {
      while (checkpoints(output, true).size() < 3 || checkpoints(output, false).isEmpty()) {
        assertThat(process.isAlive()).as(log()).isTrue();
        Thread.sleep(1);
      }
      process.destroy(); // SIGTERM
      assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(log()).isEqualTo(Caravan.STOPPED);
    assertThat(log()).contains("caravan: SIGTERM: stopping after a checkpoint");
    assertThat(checkpoints(output, false)).as("half-written").isEmpty();
    CheckpointStore store = new CheckpointStore(output.toString(), new Configuration());
    assertThat(store.steps()).hasSize(3);
    CheckpointStore.Found newest = store.latest().orElseThrow();
    assertThat(newest.skipped()).isEmpty();
    assertThat(newest.step()).isLessThan(STEPS).isEqualTo(lines(output).size() - 1L);
    assertThat(output.resolve("checkpoints/latest"))
        .hasContent("step-%08d".formatted(newest.step()));

    Process again = start(output);
    assertThat(again.waitFor(5, TimeUnit.MINUTES)).isTrue();
    assertThat(again.exitValue()).as(log()).isZero();
    Path whole = work.resolve("whole");
    CommandLine.Said undisturbed = CommandLine.run(settings(whole).toArray(String[]::new));
    assertThat(undisturbed.status()).as(undisturbed.err()).isZero();
    assertThat(lines(output)).isEqualTo(lines(whole)).hasSize(STEPS + 1);
    String last = "checkpoints/step-%08d/".formatted(STEPS);
    for (String file : List.of("model.safetensors", "caravan/optimizer.safetensors")) {
      assertThat(output.resolve(last + file)).hasSameBinaryContentAs(whole.resolve(last + file));
    }
    assertThat(checkpoints(output, true)).hasSize(3);
  }

  private static List<Double> lines(Path output) {
    return MetricsLog.read(output.toString(), new Configuration()).stream()
        .map(Metrics::loss)
        .toList();
  }
}
