package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Inputs;
import caravan.pipeline.Json;
import caravan.pipeline.Manifest;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.Storage;
import caravan.pipeline.TestS3;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two days, their outputs and their index on s3a:// against an S3 server. */
class DedupOnS3SparkTest {
  private static final DedupConfig CONFIG = TestConfig.dedup(0.7, 64, List.of());

  private final RandomTexts random = new RandomTexts(51);
  private final String text = random.han(120);
  private final String other = random.words(80);

  private SparkSession spark;

  @Test
  void deduplicationBesideAnIndexOnS3EqualsThatOnLocalFiles(@TempDir Path local) throws Exception {
    TestS3 s3 = new TestS3();
    spark = s3.session();
    StageReport onS3 = twoDays(s3.path("days"));
    StageReport onDisk = twoDays(local.toString());
    assertThat(onS3.kept().documents()).isEqualTo(1);
    assertThat(onS3.counts())
        .isEqualTo(onDisk.counts())
        .containsEntry(DedupStage.DROPPED_FOR_EARLIER, 2L);
    assertThat(manifest(s3.path("days/out-2"), Manifest.DOCUMENTS).contentHash())
        .isEqualTo(manifest(local + "/out-2", Manifest.DOCUMENTS).contentHash());
    Manifest index = manifest(s3.path("days/index"), DedupIndex.KIND);
    assertThat(index.contentHash())
        .isEqualTo(manifest(local + "/index", DedupIndex.KIND).contentHash());
    index.checkHashes(
        spark.sparkContext().hadoopConfiguration(),
        new org.apache.hadoop.fs.Path(s3.path("days/index")));
    DedupIndex opened = open(s3.path("days"));
    assertThat(opened.delete(spark, List.of("a")).texts()).isEqualTo(2);
    assertThat(open(s3.path("days")).known(spark, List.of("a", "b", "e")))
        .containsExactly("a", "b", "e");
  }

  private StageReport twoDays(String directory) throws IOException {
    day(directory, 1, Map.of("a", text, "b", other));
    return day(
        directory,
        2,
        Map.of("c", text.substring(6), "d", other, "e", "第三天的新文档。" + text.substring(0, 9)));
  }

  private DedupIndex open(String directory) {
    return DedupIndex.open(
        spark.sparkContext().hadoopConfiguration(), directory + "/index", CONFIG, 42);
  }

  private StageReport day(String directory, int day, Map<String, String> documents)
      throws IOException {
    String input = directory + "/" + day + ".jsonl";
    var conf = spark.sparkContext().hadoopConfiguration();
    try (OutputStream out = new Storage(conf).create(new org.apache.hadoop.fs.Path(input))) {
      for (Map.Entry<String, String> d : documents.entrySet()) {
        String line = Json.compact(Map.of("id", d.getKey(), "text", d.getValue()));
        out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
      }
    }
    Inputs inputs = Inputs.resolve(conf, input);
    ReadConfig read = ReferenceConf.read("read", ReadConfig.class, "id-field = id");
    String output = directory + "/out-" + day;
    IndexRun run = open(directory).run(inputs, output, Map.of());
    StageOutput.Result result =
        new StageOutput(spark, output, StageOutput.Limits.DEFAULT)
            .run(
                new DedupStage(CONFIG, 42, Optional.of(run)),
                inputs,
                new CorpusReader(inputs, read).documents(spark),
                run.config(),
                false);
    run.commit();
    return result.report();
  }

  private Manifest manifest(String directory, String kind) {
    return Manifest.read(
        spark.sparkContext().hadoopConfiguration(), new org.apache.hadoop.fs.Path(directory), kind);
  }
}
