package caravan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.jobs.CommandLine.Said;
import caravan.model.checkpoint.Checkpoint;
import caravan.model.checkpoint.CheckpointStore;
import caravan.model.train.Metrics;
import caravan.model.train.MetricsLog;
import caravan.model.train.Trainer;
import caravan.pipeline.S3a;
import caravan.pipeline.Storage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From token shards to generated text with every path on an S3 server. */
class TrainingOnS3SparkTest {
  @TempDir static Path local;

  private static S3Server s3;
  private static SparkSession spark;
  private static Configuration hadoop;

  @BeforeAll
  static void start() throws Exception {
    s3 = new S3Server(local);
    TestSpark.session().stop();
    open();
    Files.write(local.resolve("tokenizer.model"), TinyModel.TOKENIZER.toBytes());
    Files.write(local.resolve("text.jsonl"), documents("d", 1));
    Files.write(local.resolve("held-out.jsonl"), documents("h", 2));
    for (String output : List.of(s3.path("tokens"), local + "/tokens")) {
      tokenize("text.jsonl", output);
    }
    tokenize("held-out.jsonl", s3.path("held-out"));
  }

  /** Commands that open a session of their own close this one. */
  @BeforeEach
  void reopen() {
    if (spark.sparkContext().isStopped()) {
      open();
    }
  }

  private static void open() {
    spark =
        SparkSessions.open(
            "s3",
            Optional.of("local[2]"),
            S3a.sparkProperties(List.of(s3.path(""))),
            s3.sparkProperties());
    hadoop = spark.sparkContext().hadoopConfiguration();
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static List<String> documents(String name, long seed) {
    List<String> words = List.of("the", "sky", "is", "blue", "sea", "grass", "天空", "蓝色", "颜色");
    Random random = new Random(seed);
    return Stream.iterate(0, i -> i + 1)
        .limit(60)
        .map(
            i -> {
              StringBuilder text = new StringBuilder();
              random.ints(30, 0, words.size()).forEach(w -> text.append(words.get(w)).append(' '));
              return "{\"id\": \"%s%d\", \"text\": \"%s\"}".formatted(name, i, text);
            })
        .toList();
  }

  private static void tokenize(String input, String output) {
    TokenizeJob.run(
        spark,
        config(
            TokenizeJob.Config.class,
            "input=" + local.resolve(input),
            "output=" + output,
            "tokenizer=" + local.resolve("tokenizer.model"),
            "read.id-field=id",
            "tokenize.validation-fraction=0"),
        false);
  }

  private static <C extends Record> C config(Class<C> type, String... settings) {
    return ConfigLoader.of(List.of(), List.of(settings)).read(type);
  }

  private static PretrainJob.Config pretraining(String tokens, String output, String... more) {
    List<String> settings =
        new ArrayList<>(
            List.of(
                "tokens=" + tokens,
                "output=" + output,
                "validation=" + s3.path("held-out"),
                "model.hidden-size=16",
                "model.num-hidden-layers=1",
                "model.num-attention-heads=2",
                "model.num-key-value-heads=1",
                "model.intermediate-size=24",
                "train.sequence-length=32",
                "train.batch-sequences=2",
                "train.averaging-steps=2",
                "train.steps=8",
                "train.validation-steps=4",
                "train.checkpoint-steps=4",
                "train.warmup-steps=1"));
    settings.addAll(List.of(more));
    return config(PretrainJob.Config.class, settings.toArray(String[]::new));
  }

  private static Trainer.Outcome pretrain(PretrainJob.Config config, int rounds) {
    int[] asked = {0};
    return PretrainJob.run(spark, config, false, () -> ++asked[0] >= rounds);
  }

  private static float[] parameters(String output) {
    try (Checkpoint checkpoint = new CheckpointStore(output, hadoop).load(8)) {
      float[] values = new float[(int) checkpoint.parameters().capacity()];
      checkpoint.parameters().get(values);
      return values;
    }
  }

  @Test
  void aTrainingGoesOnOnS3ToTheBitsOfALocalOneAndTheChainGoesOnFromIt() throws Exception {
    PretrainJob.Config onS3 = pretraining(s3.path("tokens"), s3.path("pretrain"));
    Trainer.Outcome stopped = pretrain(onS3, 2);
    assertThat(stopped.finished()).isFalse();
    assertThat(stopped.step()).isEqualTo(4);
    assertThat(pretrain(onS3, 100).finished()).isTrue();
    pretrain(pretraining(local + "/tokens", local + "/pretrain"), 100);

    assertThat(parameters(s3.path("pretrain"))).containsExactly(parameters(local + "/pretrain"));
    assertThat(MetricsLog.read(s3.path("pretrain"), hadoop))
        .extracting(Metrics::step)
        .containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
    assertThat(losses(s3.path("pretrain"))).isEqualTo(losses(local + "/pretrain"));
    String curve = text(s3.path("pretrain/metrics.jsonl"));
    assertThat(curve.lines()).as("gathered at the end").hasSize(9);
    assertThat(text(s3.path("pretrain/report.html"))).contains("training");

    fineTune();
    Said evaluated =
        command(
            "evaluate",
            "checkpoint=" + s3.path("sft"),
            "tasks=[perplexity]",
            "tokens=" + s3.path("held-out"),
            "evaluate.split=train",
            "output=" + s3.path("evaluate"));
    assertThat(evaluated.status()).as(evaluated.err()).isZero();
    Said generated =
        command(
            "generate", "--json", "checkpoint=" + s3.path("sft"), "prompt=the sky", "max-tokens=3");
    assertThat(generated.status()).as(generated.err()).isZero();
    assertThat(generated.out()).contains("\"ids\"");
  }

  private static void fineTune() throws Exception {
    Path chat = local.resolve("chat.jsonl");
    Files.writeString(chat, "{\"instruction\": \"sky\", \"output\": \"blue\"}\n".repeat(3));
    Trainer.Outcome tuned =
        SftJob.run(
            spark,
            config(
                SftConfig.class,
                "checkpoint=" + s3.path("pretrain"),
                "input=" + chat,
                "output=" + s3.path("sft"),
                "sft.validation-fraction=0",
                "train.sequence-length=32",
                "train.batch-sequences=1",
                "train.steps=2"),
            false,
            () -> false);
    assertThat(tuned.checkpoint()).isEqualTo(s3.path("sft/checkpoints/step-00000002"));
  }

  private static List<List<Double>> losses(String output) {
    return MetricsLog.read(output, hadoop).stream()
        .map(line -> Arrays.asList(line.loss(), line.validationLoss()))
        .toList();
  }

  private static String text(String file) {
    return new String(
        new Storage(hadoop).read(new org.apache.hadoop.fs.Path(file)), StandardCharsets.UTF_8);
  }

  private static Said command(String... line) {
    List<String> words = new ArrayList<>(List.of(line));
    s3.sparkProperties().forEach((key, value) -> words.add(key + "=" + value));
    if (line[0].equals("evaluate")) {
      words.addAll(List.of("--master", "local[2]"));
    }
    return CommandLine.run(words.toArray(String[]::new));
  }

  @Test
  void shardsWhoseDocumentsAreTrainedOnCannotBeHeldOut() {
    assertThatThrownBy(
            () ->
                pretrain(
                    pretraining(
                        local + "/tokens", local + "/cheat", "validation=" + s3.path("tokens")),
                    1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("60 of its documents are in the training split of tokens=")
        .hasMessageContaining("hold out other documents");
  }

  @Test
  void aLossThatIsNoNumberNamesTheDocumentsOfItsStep() {
    assertThatThrownBy(
            () ->
                pretrain(
                    pretraining(
                        s3.path("tokens"),
                        local + "/diverged",
                        "train.learning-rate=1e30",
                        "train.clip-norm=0",
                        "train.workers=1"),
                    100))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("last good checkpoint: ")
        .hasMessageMatching("(?s).*The step read \\d documents: d\\d+ \\(text\\).*");
  }
}
