package caravan.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.CleanStage;
import caravan.pipeline.read.CorpusReader;
import caravan.pipeline.read.ReadConfig;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A stage from s3a:// to s3a:// against an S3 server. */
class StageOutputOnS3SparkTest {
  private static final String TEXT = "清晨的港口十分安静，只有几只海鸥在水面上盘旋。一位戴着蓝色帽子的老人坐在墙边修补渔网，多年来他一直如此，从不间断。";
  private static final String LINES =
      "{\"text\": \"" + TEXT + "\"}\n{\"text\": \"太短\"}\n{\"text\": \"港口" + TEXT + "\"}\n";

  private static TestS3 s3;
  private static SparkSession spark;

  @BeforeAll
  static void serve() throws Exception {
    s3 = new TestS3();
    spark = s3.session();
  }

  private static StageOutput.Result clean(String input, String output) {
    Inputs inputs = Inputs.resolve(spark.sparkContext().hadoopConfiguration(), input);
    CorpusReader reader = new CorpusReader(inputs, ReferenceConf.read("read", ReadConfig.class));
    return new StageOutput(spark, output, StageOutput.Limits.DEFAULT)
        .run(
            new CleanStage(ReferenceConf.read("clean", CleanConfig.class)),
            inputs,
            reader,
            Map.of(),
            false);
  }

  @Test
  void a_stage_on_s3_equals_the_same_stage_on_local_files(@TempDir Path dir) throws IOException {
    Files.createDirectories(dir.resolve("raw"));
    Files.writeString(dir.resolve("raw/a.jsonl"), LINES);
    var raw = new org.apache.hadoop.fs.Path(s3.path("raw/a.jsonl"));
    Configuration conf = spark.sparkContext().hadoopConfiguration();
    try (OutputStream out = new Storage(conf).create(raw)) {
      out.write(LINES.getBytes(StandardCharsets.UTF_8));
    }

    StageOutput.Result onS3 = clean(s3.path("raw"), s3.path("clean"));
    clean(dir + "/raw", dir + "/clean");

    assertThat(onS3.upToDate()).isFalse();
    assertThat(onS3.report().kept().documents()).isEqualTo(2);
    Manifest manifest = manifest(s3.path("clean"));
    manifest.checkHashes(conf, new org.apache.hadoop.fs.Path(s3.path("clean")));
    assertThat(manifest.contentHash())
        .as("ids and texts do not depend on where the input lies")
        .isEqualTo(manifest(dir + "/clean").contentHash());
    assertThat(manifest.inputs().get(0).fingerprint()).startsWith("etag:");

    assertThat(clean(s3.path("raw"), s3.path("clean")).upToDate()).isTrue();
    assertThat(clean(s3.path("clean"), s3.path("again")).report().kept().documents()).isEqualTo(2);
    assertThat(new Storage(conf).filesBelow(new org.apache.hadoop.fs.Path(s3.path("clean"))))
        .as("nothing is left of the work")
        .extracting(file -> file.getPath().toString())
        .noneMatch(path -> path.contains("__magic") || path.contains("_temporary"));
  }

  private static Manifest manifest(String directory) {
    return Manifest.read(
        spark.sparkContext().hadoopConfiguration(),
        new org.apache.hadoop.fs.Path(directory),
        Manifest.DOCUMENTS);
  }
}
