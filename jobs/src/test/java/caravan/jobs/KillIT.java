package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.jobs.chat.TinyTokenizer;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.Storage;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands that are killed with SIGKILL at several moments or find no room, and run again. */
class KillIT {
  private static final Path ROOT = Path.of(System.getProperty("caravan.root"));

  /**
   * Several tasks' worth, so that there is a time between the first file of output and the last.
   */
  private static final int CORPUS_BYTES = 14_000_000;

  @TempDir static Path work;
  private static Path corpus;

  /** Documents of sentences in random order; some are copies, some differ in a few sentences. */
  @BeforeAll
  static void makeCorpus() throws IOException {
    corpus = Files.createDirectory(work.resolve("corpus"));
    List<List<String>> sentences =
        List.of(sentences("en-", "(?<=[.!?]) "), sentences("zh-", "(?<=。)"));
    Random random = new Random(5);
    int written = 0;
    for (int file = 0; file < 4; file++) {
      try (Writer out = Files.newBufferedWriter(corpus.resolve(file + ".jsonl"))) {
        for (; written < (file + 1L) * CORPUS_BYTES / 4; ) {
          List<String> some = new ArrayList<>(sentences.get(random.nextInt(2)));
          Collections.shuffle(some, random);
          List<String> text = some.subList(0, 25);
          for (int copy = random.nextInt(10); copy < 10; copy += 4) {
            String line = Json.compact(Map.of("text", String.join(" ", text))) + "\n";
            out.write(line);
            written += line.length();
            if (copy % 2 == 0) {
              text.set(random.nextInt(25), some.get(25 + random.nextInt(5)));
            }
          }
        }
      }
    }
  }

  private static List<String> sentences(String language, String between) throws IOException {
    List<String> sentences = new ArrayList<>();
    for (String line : Files.readAllLines(ROOT.resolve("airflow/tests/corpus/road.jsonl"))) {
      var document = Json.MAPPER.readTree(line);
      if (document.get("id").asText().startsWith(language)) {
        sentences.addAll(List.of(document.get("text").asText().split(between)));
      }
    }
    assertThat(sentences).hasSizeGreaterThan(30);
    return sentences;
  }

  private static List<String> line(String command, Path output) {
    return List.of(
        ROOT.resolve("jobs/caravan").toString(),
        command,
        "input=" + corpus + "/*.jsonl",
        "output=" + output,
        "spark.driver.memory=1g",
        "--master",
        "local[1]");
  }

  private static Process start(Path output, List<String> line) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(line);
    builder.environment().remove("SPARK_HOME");
    return builder.redirectErrorStream(true).redirectOutput(log(output).toFile()).start();
  }

  private static Path log(Path output) {
    return output.resolveSibling(output.getFileName() + ".log");
  }

  private static String finish(String command, Path output) throws Exception {
    finish(command, start(output, line(command, output)), output, 0);
    return contentHash(output);
  }

  private static void finish(String command, Process process, Path output, int status)
      throws Exception {
    try {
      assertThat(process.waitFor(10, TimeUnit.MINUTES)).as("%s ends", command).isTrue();
      assertThat(process.exitValue()).as(Files.readString(log(output))).isEqualTo(status);
    } finally {
      process.destroyForcibly();
    }
  }

  /** Kills the command as soon as it has come to a moment. */
  private static void kill(String command, Path output, BooleanSupplier moment) throws Exception {
    kill(start(output, line(command, output)), output, moment);
  }

  private static void kill(Process process, Path output, BooleanSupplier moment) throws Exception {
    try {
      while (!moment.getAsBoolean()) {
        assertThat(process.isAlive()).as(Files.readString(log(output))).isTrue();
        Thread.sleep(2);
      }
    } finally {
      process.destroyForcibly(); // SIGKILL
    }
    assertThat(process.waitFor()).as("killed by signal 9").isEqualTo(128 + 9);
  }

  private static String contentHash(Path output) {
    Configuration hadoop = new Configuration();
    var directory = new org.apache.hadoop.fs.Path(output.toString());
    Manifest manifest = Manifest.read(hadoop, directory, Manifest.DOCUMENTS);
    manifest.checkHashes(hadoop, directory);
    List<String> present =
        new Storage(hadoop)
            .filesBelow(directory).stream()
                .map(file -> file.getPath().toUri().getPath())
                .filter(path -> path.endsWith(".parquet"))
                .toList();
    assertThat(present).as("leftovers are deleted").hasSameSizeAs(manifest.files());
    return manifest.contentHash();
  }

  private static long files(Path directory, String ending) {
    if (!Files.isDirectory(directory)) {
      return 0;
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> file.toString().endsWith(ending)).count();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void aDedupThatIsKilledAndRunAgainGivesWhatAnUndisturbedOneGives() throws Exception {
    String undisturbed = finish("dedup", work.resolve("whole"));
    Path output = work.resolve("killed");
    kill("dedup", output, () -> Files.exists(output.resolve("_started.json")));
    assertThat(output.resolve("manifest.json")).doesNotExist();
    kill("dedup", output, () -> files(output.resolve("data"), ".parquet") >= 2);
    assertThat(output.resolve("manifest.json")).doesNotExist();
    assertThat(files(output.resolve("data"), ".parquet")).isPositive();
    kill("dedup", output, () -> Files.exists(output.resolve("report.json")));
    assertThat(finish("dedup", output)).isEqualTo(undisturbed);
    assertThat(output.resolve("_started.json")).doesNotExist();
  }

  @Test
  void aCleanThatIsKilledGoesOnWithThePartsThatWereDone() throws Exception {
    String undisturbed = finish("clean", work.resolve("clean-whole"));
    Path output = work.resolve("clean-killed");
    kill("clean", output, () -> files(output.resolve("parts"), ".json") >= 2);
    assertThat(output.resolve("manifest.json")).doesNotExist();
    assertThat(finish("clean", output)).isEqualTo(undisturbed);
    assertThat(log(output)).content().contains("took over the verdicts on");
  }

  private static List<String> tokenize(Path output, String... more) throws IOException {
    Path model = work.resolve("tokenizer.model");
    Files.write(model, TinyTokenizer.create().toBytes());
    List<String> line = new ArrayList<>(line("tokenize", output));
    line.addAll(List.of("tokenizer=" + model, "encoder=fast"));
    line.addAll(List.of(more));
    return line;
  }

  private static String tokens(Path output) throws IOException {
    Configuration hadoop = new Configuration();
    var directory = new org.apache.hadoop.fs.Path(output.toString());
    Manifest manifest = Manifest.read(hadoop, directory, Manifest.TOKENS);
    manifest.checkHashes(hadoop, directory);
    try (Stream<Path> files = Files.walk(output)) {
      assertThat(files.filter(Files::isRegularFile))
          .as("leftovers are deleted")
          .hasSize(manifest.files().size() + 1);
    }
    return manifest.contentHash();
  }

  @Test
  void tokensOfACommandThatIsKilledAndRunAgainAreThoseOfAnUndisturbedOne() throws Exception {
    String small = "tokenize.shard-tokens=200000";
    Path whole = work.resolve("tokens-whole");
    finish("tokenize", start(whole, tokenize(whole, small)), whole, 0);
    Path output = work.resolve("tokens-killed");
    BooleanSupplier amidShards = () -> files(output.resolve("train"), ".bin") >= 2;
    kill(start(output, tokenize(output, small)), output, amidShards);
    assertThat(output.resolve("manifest.json")).doesNotExist();
    finish("tokenize", start(output, tokenize(output, small)), output, 0);
    assertThat(tokens(output)).isEqualTo(tokens(whole));
  }

  /** A limit on the size of files stands for a full disk, which takes root to make. */
  @Test
  void withoutRoomForAShardTokenizeSaysSoAndNothingPassesForWhole() throws Exception {
    Path output = work.resolve("tokens-full");
    List<String> limited =
        new ArrayList<>(List.of("bash", "-c", "ulimit -f 16000; exec \"$@\"", "limited"));
    limited.addAll(tokenize(output));
    finish("tokenize", start(output, limited), output, 1);
    assertThat(log(output))
        .content()
        .contains(
            "tokens-full: cannot write shards there; nothing passes for whole, run tokenize again:"
                + " IOException: File too large");
    assertThat(output.resolve("manifest.json")).doesNotExist();
    assertThat(files(output.resolve("train"), ".bin")).isZero();
  }
}
