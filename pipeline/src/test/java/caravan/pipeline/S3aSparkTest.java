package caravan.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.dedup.DedupConfig;
import caravan.pipeline.dedup.DedupStage;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class S3aSparkTest {
  private static final ReadConfig READ = ReferenceConf.read("read", ReadConfig.class);
  private static final Map<String, Object> CONFIG = Map.of("seed", 42);
  private static final DedupStage STAGE =
      new DedupStage(ReferenceConf.read("dedup", DedupConfig.class), 42);

  private static TestS3 s3;
  private static SparkSession spark;
  private static Configuration conf;
  private static Storage storage;

  @BeforeAll
  static void start() throws Exception {
    s3 = new TestS3();
    spark = s3.session();
    conf = spark.sparkContext().hadoopConfiguration();
    storage = new Storage(conf);
  }

  @Test
  void theMagicCommitterWritesOnS3() throws IOException {
    writeRaw(s3.path("magic/raw"));
    new CorpusReader(Inputs.resolve(conf, s3.path("magic/raw")), READ)
        .rows(spark)
        .write()
        .parquet(s3.path("magic/out"));
    String success = new String(storage.read(new Path(s3.path("magic/out/_SUCCESS"))));
    assertThat(success).contains("\"committer\" : \"magic\"");
  }

  @Test
  void aRunThatDiesLeavesNothingThatReadersSeeAndTheNextOneCleansUp() throws IOException {
    String raw = s3.path("dying/raw");
    String output = s3.path("dying/out");
    writeRaw(raw);
    assertThatThrownBy(() -> run(raw, output, new DyingStage()))
        .hasStackTraceContaining("worker lost");
    assertThat(keys("dying/out")).noneMatch(key -> key.endsWith("manifest.json"));
    assertThatThrownBy(() -> Inputs.resolve(conf, output))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("an unfinished stage output (no manifest.json)");

    writeText(output + "/data/part-00000-of-a-dead-run.snappy.parquet", "half a file");
    writeText(output + "/data/__magic/job-1/task.pending", "{}");
    run(raw, output, STAGE);
    assertThat(keys("dying/out"))
        .noneMatch(key -> key.contains("dead-run") || key.contains("__magic"));
    writeText(output + "/data/part-00000-of-another-dead-run.snappy.parquet", "half a file");
    assertThat(StageOutput.read(spark, output).count()).isEqualTo(30);
    assertThat(run(raw, output, STAGE).upToDate()).isTrue();
  }

  @Test
  void localPathsNeedNoSettings() {
    assertThat(S3a.sparkProperties(List.of("/data/raw", "work/s3a"))).isEmpty();
    assertThat(S3a.sparkProperties(List.of("/data/raw", "s3a://bucket/out")))
        .containsEntry("spark.hadoop.fs.s3a.committer.name", "magic");
  }

  /** Fails in the middle of writing. */
  private static final class DyingStage implements Stage {
    @Override
    public String name() {
      return "dedup";
    }

    @Override
    public JavaRDD<Tagged> apply(JavaRDD<DocumentIterator> documents) {
      return documents.mapPartitions(parts -> ChainedDocuments.of(parts)).map(DyingStage::tag);
    }

    private static Tagged tag(Document d) {
      if (d.path().equals("b.jsonl") && d.text().contains("number 19")) {
        throw new IllegalStateException("worker lost");
      }
      return new Tagged(d, Documents.KEPT, "", d.text().length(), Map.of());
    }
  }

  /** Two files of 20 documents; ten of the second are also in the first. */
  private void writeRaw(String directory) throws IOException {
    writeText(directory + "/a.jsonl", jsonLines(0));
    writeText(directory + "/b.jsonl", jsonLines(10));
  }

  private static String jsonLines(int first) {
    return IntStream.range(first, first + 20)
        .mapToObj(i -> "{\"text\": \"第%1$d篇文章，number %1$d of %1$d𠮷\"}\n".formatted(i))
        .collect(Collectors.joining());
  }

  private static void writeText(String file, String text) throws IOException {
    try (var out = storage.create(new Path(file))) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
  }

  private static JavaRDD<DocumentIterator> documents(String raw) {
    return new CorpusReader(Inputs.resolve(conf, raw), READ).documents(spark);
  }

  private static StageOutput.Result run(String raw, String output, Stage stage) {
    return new StageOutput(spark, output, StageOutput.Limits.DEFAULT)
        .run(stage, Inputs.resolve(conf, raw), documents(raw), CONFIG, false);
  }

  private static Set<String> keys(String prefix) {
    return storage.filesBelow(new Path(s3.path(prefix))).stream()
        .map(status -> status.getPath().toString())
        .collect(Collectors.toCollection(TreeSet::new));
  }
}
