package caravan.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.StageOutput.Limits;
import caravan.pipeline.StageReport.Tally;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StageOutputSparkTest {
  private static final SparkSession spark = TestSpark.session();
  private static final Configuration conf = spark.sparkContext().hadoopConfiguration();
  private static final Map<String, Object> CONFIG = Map.of("max-chars", 5);

  @TempDir Path dir;
  private Path output;
  private Inputs inputs;

  @BeforeEach
  void writeInput() throws IOException {
    Files.writeString(dir.resolve("input.txt"), "one");
    inputs = Inputs.resolve(conf, dir.resolve("input.txt").toString());
    output = dir.resolve("out");
  }

  /** Drops texts longer than five code points; removes the letter x from the others. */
  private static class ShortStage implements Stage {
    @Override
    public String name() {
      return "short";
    }

    @Override
    public JavaRDD<Tagged> apply(JavaRDD<DocumentIterator> documents) {
      return documents
          .mapPartitions(parts -> ChainedDocuments.of(parts))
          .map(d -> Documents.taggedIfUnreadable(d).orElseGet(() -> tag(d)));
    }

    Tagged tag(Document d) {
      long characters = d.text().codePointCount(0, d.text().length());
      if (characters > 5) {
        String detail = characters + " code points, maximum 5";
        return new Tagged(d, "too_long", detail, characters, Map.of());
      }
      Document edited = d.withText(d.text().replace("x", ""));
      long removed = d.text().length() - edited.text().length();
      return new Tagged(
          edited, Documents.KEPT, "", characters, removed == 0 ? Map.of() : Map.of("x", removed));
    }
  }

  private static class MiscountingStage extends ShortStage {
    @Override
    Tagged tag(Document d) {
      return new Tagged(d.withText(""), Documents.KEPT, "", d.text().length(), Map.of());
    }
  }

  private static class OtherStage extends ShortStage {
    @Override
    public String name() {
      return "other";
    }
  }

  private static Document document(String id, String language, String text) {
    return new Document(id, "test", "a.txt", language, text, Map.of("k" + id, "v", "j", "w"));
  }

  private static final List<Document> DOCUMENTS =
      List.of(
          document("1", "en", "short"),
          document("2", "en", "much too long"),
          document("3", "zh", "汉字𠮷x"),
          document("4", "zh", "这一句话太长了"));

  private static JavaRDD<DocumentIterator> rows(List<Document> documents, int partitions) {
    return TestDocuments.readers(documents, partitions);
  }

  private StageReport write(Stage stage, List<Document> documents, int partitions) {
    return new StageOutput(spark, output.toString(), Limits.DEFAULT)
        .run(stage, inputs, rows(documents, partitions), CONFIG, true)
        .report();
  }

  private StageOutput.Result run(Map<String, Object> config, boolean force) {
    return new StageOutput(spark, output.toString(), Limits.DEFAULT)
        .run(new ShortStage(), inputs, rows(DOCUMENTS, 1), config, force);
  }

  private Manifest manifest() {
    return Manifest.read(conf, hadoop(output), Manifest.DOCUMENTS);
  }

  private static org.apache.hadoop.fs.Path hadoop(Path path) {
    return new org.apache.hadoop.fs.Path(path.toString());
  }

  private List<String> files(String name) throws IOException {
    try (Stream<Path> paths = Files.walk(output.resolve(name))) {
      return paths
          .filter(Files::isRegularFile)
          .map(p -> output.relativize(p).toString())
          .sorted()
          .toList();
    }
  }

  @Test
  void splits_kept_from_dropped_and_counts_what_it_wrote() throws IOException {
    StageReport report = write(new ShortStage(), DOCUMENTS, 2);

    assertThat(report.input()).isEqualTo(new Tally(4, 5 + 13 + 4 + 7));
    assertThat(report.kept()).isEqualTo(new Tally(2, 5 + 3));
    assertThat(report.dropped()).isEqualTo(new Tally(2, 13 + 7));
    assertThat(report.droppedByReason()).isEqualTo(Map.of("too_long", new Tally(2, 20)));
    assertThat(report.editedAway()).isEqualTo(Map.of("x", 1L));
    assertThat(report.byLanguage().get("zh").kept()).isEqualTo(new Tally(1, 3));
    assertThat(StageOutput.read(spark, output.toString()).collectAsList())
        .extracting(row -> Documents.fromRow(row).text())
        .containsExactlyInAnyOrder("short", "汉字𠮷");
    List<Row> dropped = spark.read().parquet(output + "/dropped").collectAsList();
    assertThat(dropped)
        .extracting(row -> row.<String>getAs("reason") + ": " + row.getAs("detail"))
        .containsExactlyInAnyOrder(
            "too_long: 13 code points, maximum 5", "too_long: 7 code points, maximum 5");
    assertThat(Json.MAPPER.readValue(output.resolve("report.json").toFile(), StageReport.class))
        .isEqualTo(report);
    assertThat(Json.MAPPER.readValue(output.resolve("config.json").toFile(), Map.class))
        .isEqualTo(CONFIG);
    manifest().checkHashes(conf, hadoop(output));
    assertThat(manifest().files())
        .extracting(Manifest.OutputFile::path)
        .containsExactlyInAnyOrderElementsOf(
            Stream.concat(files("data").stream(), files("dropped").stream()).toList());
  }

  @Test
  void content_hash_ignores_partitioning_and_sees_every_change() {
    write(new ShortStage(), DOCUMENTS, 1);
    String hash = manifest().contentHash();
    write(new ShortStage(), DOCUMENTS, 3);
    assertThat(manifest().contentHash()).isEqualTo(hash);

    List<Document> changed =
        Stream.concat(DOCUMENTS.stream().skip(1), Stream.of(document("1", "en", "Short"))).toList();
    write(new ShortStage(), changed, 1);
    assertThat(manifest().contentHash()).isNotEqualTo(hash);
  }

  @Test
  void a_second_run_does_nothing_until_input_or_configuration_change() throws IOException {
    assertThat(run(CONFIG, false).upToDate()).isFalse();
    List<String> first = files("data");
    StageOutput.Result second = run(CONFIG, false);
    assertThat(second.upToDate()).isTrue();
    assertThat(second.report().kept().documents()).isEqualTo(2);
    assertThat(files("data")).isEqualTo(first);

    assertThat(run(CONFIG, true).upToDate()).as("forced").isFalse();
    assertThat(files("data")).as("the old files are gone").doesNotContainAnyElementsOf(first);
    assertThat(run(Map.of("max-chars", 6), false).upToDate()).as("other config").isFalse();
    Files.writeString(dir.resolve("input.txt"), "two");
    inputs = Inputs.resolve(conf, dir.resolve("input.txt").toString());
    assertThat(run(Map.of("max-chars", 6), false).upToDate()).as("other input").isFalse();
  }

  /** Fails after some documents, like a killed job. */
  private static class FailingStage extends ShortStage {
    @Override
    Tagged tag(Document d) {
      if (d.id().equals("4")) {
        throw new IllegalStateException("worker lost");
      }
      return super.tag(d);
    }
  }

  @Test
  void a_failed_run_leaves_the_old_output_valid_and_the_next_run_cleans_up() throws IOException {
    run(CONFIG, false);
    Manifest before = manifest();
    assertThatThrownBy(() -> write(new FailingStage(), DOCUMENTS, 1))
        .hasStackTraceContaining("worker lost");
    Path leftover = output.resolve("data/part-00000-of-a-killed-run.parquet");
    Files.copy(output.resolve(files("data").get(0)), leftover);

    assertThat(manifest()).isEqualTo(before);
    assertThat(StageOutput.read(spark, output.toString()).count()).isEqualTo(2);
    run(CONFIG, true);
    assertThat(leftover).doesNotExist();
    assertThat(StageOutput.read(spark, output.toString()).count()).isEqualTo(2);
  }

  @Test
  void an_unfinished_first_run_is_no_input_and_the_next_run_replaces_it() {
    assertThatThrownBy(() -> write(new FailingStage(), DOCUMENTS, 1))
        .hasStackTraceContaining("worker lost");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StageOutput.read(spark, output.toString()))
        .withMessageContaining("no manifest.json, wanted a finished documents output");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Inputs.resolve(conf, output.toString()))
        .withMessageContaining("an unfinished stage output");
    assertThat(run(CONFIG, false).upToDate()).isFalse();
    assertThat(output.resolve(StageOutput.STARTED)).doesNotExist();
  }

  @Test
  void whatARunLeftThatDiedRightAfterItsCommitIsDeletedByTheNext() throws IOException {
    run(CONFIG, false);
    Path leftover = output.resolve("data/part-00000-of-a-killed-run.parquet");
    Files.copy(output.resolve(files("data").get(0)), leftover);
    Files.writeString(output.resolve(StageOutput.STARTED), "{}");
    assertThat(run(CONFIG, false).upToDate()).isTrue();
    assertThat(leftover).doesNotExist();
    assertThat(output.resolve(StageOutput.STARTED)).doesNotExist();
    manifest().checkHashes(conf, hadoop(output));
  }

  @Test
  void a_corrupt_manifest_or_lost_file_is_named_to_readers_and_made_again_by_the_stage()
      throws IOException {
    run(CONFIG, false);
    Files.writeString(output.resolve("manifest.json"), "{\"formatVersion\": 1, \"kind");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StageOutput.read(spark, output.toString()))
        .withMessageContaining("manifest.json: not a manifest");
    assertThat(run(CONFIG, false).upToDate()).isFalse();

    Files.delete(output.resolve(files("data").get(0)));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Inputs.resolve(conf, output.toString()))
        .withMessageContaining(".parquet: missing, manifest says");
    assertThat(run(CONFIG, false).upToDate()).isFalse();
    assertThat(StageOutput.read(spark, output.toString()).count()).isEqualTo(2);
  }

  @Test
  void a_changed_byte_is_found_by_its_hash() throws IOException {
    run(CONFIG, false);
    Path file = output.resolve(files("data").get(0));
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> manifest().checkHashes(conf, hadoop(output)))
        .withMessageContaining(", manifest says ");
  }

  @Test
  void the_next_stage_reads_exactly_the_listed_files_and_knows_their_content() throws IOException {
    run(CONFIG, false);
    Files.copy(output.resolve(files("data").get(0)), output.resolve("data/stray.parquet"));
    Inputs next = Inputs.resolve(conf, output.toString());
    assertThat(next.areStageOutputs()).isTrue();
    assertThat(next.documentCount()).hasValue(2);
    assertThat(next.files()).noneMatch(file -> file.path().contains("stray"));
    assertThat(next.fingerprints())
        .extracting(Manifest.Input::fingerprint)
        .containsExactly(manifest().contentHash());
  }

  @Test
  void nothing_kept_is_an_error_unless_allowed() {
    List<Document> longOnes = List.of(DOCUMENTS.get(1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> write(new ShortStage(), longOnes, 1))
        .withMessageContaining("short: kept none of 1 documents, dropped {too_long=");
    assertThat(output.resolve("manifest.json")).doesNotExist();
    StageReport report =
        new StageOutput(spark, output.toString(), new Limits(true, 0))
            .run(new ShortStage(), inputs, rows(longOnes, 1), CONFIG, true)
            .report();
    assertThat(report.kept()).isEqualTo(Tally.NONE);
    assertThat(StageOutput.read(spark, output.toString()).count()).isZero();
  }

  @Test
  void unreadable_records_are_kept_aside_and_bounded() {
    Document broken =
        Documents.unreadable(
            "9", "test", "a.txt", "{oops", Documents.BROKEN_RECORD, "no closing brace");
    List<Document> documents = Stream.concat(DOCUMENTS.stream(), Stream.of(broken)).toList();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> write(new ShortStage(), documents, 1))
        .withMessageContaining("1 of 5 records are unreadable, wanted at most 0.05 of them")
        .withMessageContaining("for example a.txt: no closing brace.");

    new StageOutput(spark, output.toString(), new Limits(false, 0.2))
        .run(new ShortStage(), inputs, rows(documents, 2), CONFIG, true);
    Row row = spark.read().parquet(output + "/dropped/reason=broken_record").first();
    assertThat(row.<String>getAs("text")).isEqualTo("{oops");
    assertThat(row.<String>getAs("detail")).isEqualTo("no closing brace");
    assertThat(row.getJavaMap(row.fieldIndex("meta"))).isEmpty();
  }

  @Test
  void a_stage_that_miscounts_its_edits_commits_nothing() {
    assertThatIllegalStateException()
        .isThrownBy(() -> write(new MiscountingStage(), DOCUMENTS.subList(0, 1), 1))
        .withMessageContaining("5 characters in, 0 kept, dropped and edited away");
    assertThat(output.resolve("manifest.json")).doesNotExist();
  }

  @Test
  void never_writes_over_what_it_does_not_own() throws IOException {
    Files.createDirectories(output.resolve("data"));
    Path precious = Files.writeString(output.resolve("data/thesis.parquet"), "years of work");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> run(CONFIG, true))
        .withMessageContaining("holds data/ or dropped/ that no stage wrote");
    assertThat(precious).exists();

    Files.delete(precious);
    run(CONFIG, false);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> write(new OtherStage(), DOCUMENTS, 1))
        .withMessageContaining("holds documents of stage short; choose another output");
  }
}
