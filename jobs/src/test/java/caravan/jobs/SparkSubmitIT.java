package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packaged jar through spark-submit, and through the launcher. */
class SparkSubmitIT {
  private static final Path ROOT = Path.of(System.getProperty("caravan.root"));
  private static final Path CORPUS = ROOT.resolve("airflow/tests/corpus/road.jsonl");
  private static Path sparkHome;

  @TempDir Path work;

  /**
   * @param text standard output and error
   */
  private record Ended(int status, String text) {}

  @BeforeAll
  static void findSpark() throws Exception {
    Ended venv = run(Map.of(), ROOT.resolve("jobs/venv"), ROOT.resolve("jobs/python/spark.txt"));
    assertThat(venv.status()).as(venv.text()).isZero();
    String[] lines = venv.text().strip().split("\n");
    sparkHome = Path.of(lines[lines.length - 1], "lib/python3.11/site-packages/pyspark");
  }

  private static Ended run(Map<String, String> environment, Object... command)
      throws IOException, InterruptedException {
    List<String> words = new ArrayList<>();
    for (Object word : command) {
      words.add(word.toString());
    }
    ProcessBuilder builder = new ProcessBuilder(words).redirectErrorStream(true);
    builder.environment().remove("SPARK_HOME");
    builder.environment().putAll(environment);
    Path log = Files.createTempFile("caravan-it", ".log");
    Process process = builder.redirectOutput(log.toFile()).start();
    try {
      assertThat(process.waitFor(15, TimeUnit.MINUTES)).as("%s ends", words).isTrue();
      return new Ended(process.exitValue(), Files.readString(log, StandardCharsets.UTF_8));
    } finally {
      process.destroyForcibly();
      Files.delete(log);
    }
  }

  private Ended submit(Object... arguments) throws IOException, InterruptedException {
    List<Object> command =
        new ArrayList<>(
            List.of(
                sparkHome.resolve("bin/spark-submit"),
                "--properties-file",
                ROOT.resolve("conf/spark/local.conf"),
                "--class",
                "caravan.jobs.Caravan",
                ROOT.resolve("jobs/target/caravan.jar")));
    command.addAll(List.of(arguments));
    return run(Map.of(), command.toArray());
  }

  @Test
  void plainSparkSubmitGoesFromRawTextToAGeneratedContinuation() throws Exception {
    Ended prepared =
        submit(
            "prepare",
            "input=" + CORPUS,
            "output=" + work,
            "vocab-size=900",
            "tokenize.validation-fraction=0.2");
    assertThat(prepared.status()).as(prepared.text()).isZero();
    Ended trained =
        submit(
            "pretrain",
            "tokens=" + work.resolve("tokens"),
            "output=" + work.resolve("model"),
            "train.steps=2",
            "train.averaging-steps=1",
            "train.batch-sequences=2",
            "train.sequence-length=32",
            "model.hidden-size=32",
            "model.intermediate-size=64",
            "model.num-hidden-layers=1",
            "model.num-attention-heads=2",
            "model.num-key-value-heads=2");
    assertThat(trained.status()).as(trained.text()).isZero();
    assertThat(trained.text()).contains("pretrain: 2 of 2 steps, validation loss ");
    Ended generated =
        submit(
            "generate",
            "--json",
            "checkpoint=" + work.resolve("model"),
            "prompt=The caravan",
            "max-tokens=4");
    assertThat(generated.status()).as(generated.text()).isZero();
    assertThat(generated.text()).contains("{\"ids\":[");
  }

  @Test
  void aMistakeIsExitStatusTwoThroughSparkSubmitToo() throws Exception {
    Ended ended = submit("clean", "input=" + work.resolve("nothing"), "output=" + work);
    assertThat(ended.text()).contains("caravan clean: ", "nothing").doesNotContain("\tat ");
    assertThat(ended.status()).isEqualTo(2);
  }

  @Test
  void theLauncherGoesThroughSparkSubmitWhereSparkHomeIsSet() throws Exception {
    Ended ended =
        run(
            Map.of("SPARK_HOME", sparkHome.toString()),
            ROOT.resolve("jobs/caravan"),
            "clean",
            "input=" + CORPUS,
            "output=" + work.resolve("clean"),
            "spark.app.name=ignored",
            "spark.driver.memory=2g",
            "--master",
            "local[1]");
    assertThat(ended.status()).as(ended.text()).isZero();
    assertThat(ended.text()).contains("clean: kept ");
  }

  @Test
  void theLauncherRunsSparkInOneJvmElse() throws Exception {
    Ended ended =
        run(
            Map.of(),
            ROOT.resolve("jobs/caravan"),
            "clean",
            "input=" + CORPUS,
            "output=" + work.resolve("clean"),
            "--master=local[1]");
    assertThat(ended.status()).as(ended.text()).isZero();
    assertThat(ended.text()).contains("clean: kept ");
  }
}
