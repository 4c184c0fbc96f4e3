package caravan.jobs;

import caravan.jobs.audit.RunDiff;
import caravan.jobs.audit.StageDocuments;
import caravan.jobs.audit.TextChanges;
import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Tells what two runs of a stage decided differently, and why. */
@Command(
    name = "diff",
    customSynopsis = "caravan diff FIRST SECOND [output=DIR] [OPTIONS] [KEY=VALUE...]",
    description =
        "two outputs of one stage → which documents they decided differently, and why; with output=… also diff.json")
final class DiffJob extends Job<DiffJob.Config> {
  /**
   * @param first directory of a stage's output
   * @param second directory of another run's output
   * @param output where to write diff.json
   */
  record Config(String first, String second, Optional<String> output, long seed, Diff diff) {}

  /**
   * @param samples documents to show of each transition
   */
  record Diff(int samples) {
    Diff {
      if (samples < 0) {
        throw new IllegalArgumentException("diff.samples: got " + samples + ", wanted 0 or more");
      }
    }
  }

  static final String FILE = "diff.json";

  DiffJob() {
    super(Config.class, "first", "second");
  }

  @Override
  protected int run(Config config) {
    Configuration hadoop = hadoop();
    StageDocuments first = StageDocuments.open(config.first(), hadoop);
    StageDocuments second = StageDocuments.open(config.second(), hadoop);
    config.output().ifPresent(output -> refuseOutput(output, hadoop));
    RunDiff diff;
    try (SparkSession spark = openSpark("diff")) {
      diff = RunDiff.of(spark, first, second, config.diff().samples(), config.seed());
    }
    print(diff);
    config
        .output()
        .ifPresent(
            output -> {
              Path file = new Path(output, FILE);
              new Storage(hadoop).writeAtomically(file, Json.bytes(diff));
              line("%nall of it is in %s", file);
            });
    return Caravan.DONE;
  }

  private static void refuseOutput(String output, Configuration hadoop) {
    Storage storage = new Storage(hadoop);
    Path path = new Path(output);
    if (storage.status(path).filter(status -> status.isFile()).isPresent()) {
      throw new IllegalArgumentException(
          "output " + path + ": is a file, wanted a directory to write " + FILE + " into");
    }
  }

  private static void print(RunDiff diff) {
    line("diff of %s: %s (first) and %s (second)", diff.stage(), diff.first(), diff.second());
    line(
        "  kept: %,d documents, %,d characters → %,d documents, %,d characters",
        diff.firstKept().documents(),
        diff.firstKept().characters(),
        diff.secondKept().documents(),
        diff.secondKept().characters());
    line("  inputs: %s", diff.sameInputs() ? "the same" : "not the same");
    line("  configuration: %s", diff.configuration().isEmpty() ? "the same" : "");
    diff.configuration()
        .forEach(
            setting -> line("    %s: %s → %s", setting.key(), setting.first(), setting.second()));
    line("  %,d documents decided alike, with the same text", diff.same());
    diff.transitions().forEach(DiffJob::print);
  }

  private static void print(RunDiff.Transition transition) {
    line("%n%s: %,d %s", transition.words(), transition.documents(), transition.languages());
    for (RunDiff.Sample sample : transition.samples()) {
      String measured =
          switch (transition.change()) {
            case KEPT_TO_DROPPED, ONLY_IN_SECOND -> sample.to();
            case DROPPED_TO_KEPT, ONLY_IN_FIRST -> sample.from();
            case REASON -> sample.from() + " → " + sample.to();
            case LANGUAGE -> String.join(" → ", sample.languages());
            case TEXT -> "";
          };
      line(
          "  [%s] %s %s%s: %s",
          sample.id(),
          sample.source(),
          sample.path(),
          measured.isEmpty() ? "" : " (" + measured + ")",
          sample.text());
      sample.changes().forEach(change -> line("      %s", TextChanges.line(change)));
    }
  }

  private static void line(String format, Object... values) {
    System.out.printf(Locale.ROOT, format + "%n", values);
  }
}
