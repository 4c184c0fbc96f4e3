package caravan.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.StageOutput.Limits;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a stage of single documents does again, and what it takes over. */
class PartsSparkTest {
  private static final SparkSession spark = TestSpark.session();

  /** Texts that a stage has seen; tasks run in this JVM. */
  private static final Set<String> SEEN = new ConcurrentSkipListSet<>();

  @TempDir Path dir;

  private static class EvenStage implements DocumentStage {
    @Override
    public String name() {
      return "even";
    }

    @Override
    public Tagged tag(Document d) {
      SEEN.add(d.text());
      boolean even = d.text().matches(".*[02468]");
      return new Tagged(
          d, even ? Documents.KEPT : "odd", even ? "" : "odd number", d.text().length(), Map.of());
    }
  }

  /** Dies over one document, like a killed job. */
  private static final class DyingStage extends EvenStage {
    @Override
    public Tagged tag(Document d) {
      if (d.text().equals("b 13")) {
        throw new IllegalStateException("worker lost");
      }
      return super.tag(d);
    }
  }

  @BeforeEach
  void forget() {
    SEEN.clear();
  }

  private void write(String name, int documents) throws IOException {
    Path file = dir.resolve("raw").resolve(name + ".jsonl");
    Files.createDirectories(file.getParent());
    String lines =
        IntStream.range(0, documents)
            .mapToObj(i -> "{\"text\": \"%s %d\"}\n".formatted(name, i))
            .collect(Collectors.joining());
    Files.writeString(file, lines);
  }

  private StageOutput.Result run(DocumentStage stage, String raw, String output, boolean force) {
    Inputs inputs =
        Inputs.resolve(spark.sparkContext().hadoopConfiguration(), dir.resolve(raw).toString());
    ReadConfig read = ReferenceConf.read("read", ReadConfig.class, "source = s");
    return new StageOutput(spark, dir.resolve(output).toString(), Limits.DEFAULT)
        .run(stage, inputs, new CorpusReader(inputs, read), Map.of(), force);
  }

  private StageOutput.Result run(String output) {
    return run(new EvenStage(), "raw", output, false);
  }

  private String contentHash(String output) {
    return Manifest.read(
            spark.sparkContext().hadoopConfiguration(),
            new org.apache.hadoop.fs.Path(dir.resolve(output).toString()),
            Manifest.DOCUMENTS)
        .contentHash();
  }

  private Set<String> files(String output) throws IOException {
    try (Stream<Path> paths = Files.walk(dir.resolve(output))) {
      return paths
          .filter(Files::isRegularFile)
          .map(p -> dir.resolve(output).relativize(p).toString())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private static Set<String> texts(String name, int documents) {
    return IntStream.range(0, documents).mapToObj(i -> name + " " + i).collect(Collectors.toSet());
  }

  @Test
  void new_and_changed_files_alone_are_processed_and_the_content_is_that_of_one_run()
      throws IOException {
    write("a", 10);
    run("out");
    SEEN.clear();
    write("b", 20);
    StageOutput.Result grown = run("out");
    StageReport report = grown.report();
    assertThat(grown.reusedDocuments()).isEqualTo(10);
    assertThat(SEEN).isEqualTo(texts("b", 20));
    assertThat(report.input().documents()).isEqualTo(30);
    assertThat(report.kept().documents()).isEqualTo(15);
    run("whole");
    assertThat(contentHash("out")).isEqualTo(contentHash("whole"));

    SEEN.clear();
    write("b", 5);
    run("out");
    assertThat(SEEN).isEqualTo(texts("b", 5));
    Files.delete(dir.resolve("raw/a.jsonl"));
    SEEN.clear();
    assertThat(run("out").report().input().documents()).isEqualTo(5);
    assertThat(SEEN).as("a file that went takes its documents along").isEmpty();
    assertThat(StageOutput.read(spark, dir.resolve("out").toString()).count()).isEqualTo(3);
  }

  @Test
  void a_killed_run_goes_on_with_what_it_had_not_done() throws IOException {
    write("a", 10);
    write("b", 20);
    // Each file by itself: the split size must not put both into one task.
    Files.writeString(
        dir.resolve("raw/a.jsonl"), " ".repeat(5 << 20), java.nio.file.StandardOpenOption.APPEND);
    assertThatThrownBy(() -> run(new DyingStage(), "raw", "out", false))
        .hasStackTraceContaining("worker lost");
    assertThat(dir.resolve("out/manifest.json")).doesNotExist();
    assertThat(SEEN).contains("a 9");
    SEEN.clear();
    run("out");
    assertThat(SEEN).isEqualTo(texts("b", 20));
    run(new EvenStage(), "raw", "whole", false);
    assertThat(contentHash("out")).isEqualTo(contentHash("whole"));
    assertThat(files("out")).hasSameSizeAs(files("whole"));
  }

  @Test
  void moved_input_is_not_processed_again() throws IOException {
    write("a", 10);
    run("out");
    String hash = contentHash("out");
    Files.move(dir.resolve("raw"), dir.resolve("elsewhere"));
    SEEN.clear();
    assertThat(run(new EvenStage(), "elsewhere", "out", false).upToDate()).isFalse();
    assertThat(SEEN).isEmpty();
    assertThat(contentHash("out")).isEqualTo(hash);
  }

  @Test
  void force_lost_files_and_broken_records_of_parts_make_it_process_again() throws IOException {
    write("a", 10);
    run("out");
    String hash = contentHash("out");
    SEEN.clear();
    run(new EvenStage(), "raw", "out", true);
    assertThat(SEEN).isEqualTo(texts("a", 10));
    assertThat(files("out").stream().filter(f -> f.startsWith("parts/"))).hasSize(1);

    for (String lost : List.of("data/", "dropped/reason=odd/", "parts/")) {
      String file = files("out").stream().filter(f -> f.startsWith(lost)).findFirst().orElseThrow();
      Files.writeString(dir.resolve("out").resolve(file), "{ not what it was");
      Files.deleteIfExists(dir.resolve("out/manifest.json"));
      SEEN.clear();
      run("out");
      assertThat(SEEN).as(lost).isEqualTo(texts("a", 10));
      assertThat(contentHash("out")).isEqualTo(hash);
    }
  }
}
