package caravan.jobs;

import caravan.jobs.report.BigramBaseline;
import caravan.jobs.report.RunReport;
import caravan.model.train.BlendedSequences;
import caravan.model.train.HeldOutLoss;
import caravan.model.train.Metrics;
import caravan.model.train.MetricsLog;
import caravan.model.train.NonFiniteLoss;
import caravan.model.train.SequenceSource;
import caravan.model.train.Trainer;
import caravan.pipeline.Storage;
import caravan.pipeline.shard.TokenManifest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/** A training as a command shows it: progress while it runs, then its report and a last line. */
final class Training {
  /** Documents that are named when the loss is not finite. */
  private static final int DOCUMENTS = 20;

  private final String command;
  private final Trainer.Setup setup;
  private final Optional<BigramBaseline> bigram;
  private final Report report;
  private final long start = System.nanoTime();
  private volatile Metrics newest;
  private volatile double validationLoss = Double.NaN;
  private int firstStep;

  /**
   * What report.html shows beside the training itself.
   *
   * @param mixture where the tokens of each directory are from; empty where the data do not tell
   * @param runs outputs of other trainings
   */
  record Report(Map<String, List<TokenManifest.SourceShare>> mixture, List<String> runs) {}

  private Training(
      String command, Trainer.Setup setup, Optional<BigramBaseline> bigram, Report report) {
    this.command = command;
    this.setup = setup;
    this.bigram = bigram;
    this.report = report;
  }

  /**
   * Trains to the last step, or until asked to stop.
   *
   * @param command its name, for the lines shown
   * @param bigram a baseline to show beside the validation loss
   * @param report what report.html shows besides
   * @return how it ended; the output directory then holds report.html too
   */
  static Trainer.Outcome run(
      String command,
      SparkSession spark,
      Trainer.Setup setup,
      Optional<BigramBaseline> bigram,
      Report report,
      BooleanSupplier stop) {
    Training training = new Training(command, setup, bigram, report);
    return setup.config().evalOnly() ? training.evaluate(spark) : training.run(spark, stop);
  }

  /** Measures the held-out loss and writes nothing. */
  private Trainer.Outcome evaluate(SparkSession spark) {
    HeldOutLoss measured =
        HeldOutLoss.measure(JavaSparkContext.fromSparkContext(spark.sparkContext()), setup);
    String model = measured.model().orElse("the base");
    Trainer.Outcome outcome = new Trainer.Outcome(true, measured.step(), model, measured.loss());
    System.out.printf(
        Locale.ROOT,
        "%s: evaluated only: %,d steps%s, %s%n",
        command,
        outcome.step(),
        validated(outcome),
        model);
    return outcome;
  }

  private Trainer.Outcome run(SparkSession spark, BooleanSupplier stop) {
    report.runs().forEach(run -> others(run, spark.sparkContext().hadoopConfiguration()));
    Trainer trainer = new Trainer(JavaSparkContext.fromSparkContext(spark.sparkContext()), setup);
    firstStep = trainer.step();
    int steps = setup.config().steps();
    boolean upToDate = firstStep >= steps;
    if (firstStep > 0 && !upToDate) {
      System.out.printf("%s: going on after step %,d of %,d%n", command, firstStep, steps);
    }
    for (String damage : trainer.damaged()) {
      System.err.printf("caravan: %s: passed over a damaged checkpoint: %s%n", command, damage);
    }
    Trainer.Outcome outcome;
    try (Progress progress = new Progress(this::line)) {
      outcome = trainer.run(stop, this::measured);
    } catch (NonFiniteLoss e) {
      throw named(e, spark);
    }
    writeReport(spark.sparkContext().hadoopConfiguration());
    System.out.printf(
        Locale.ROOT,
        "%s: %s%,d of %,d steps%s in %s%n",
        command,
        upToDate ? "up to date: " : "",
        outcome.step(),
        steps,
        validated(outcome),
        outcome.checkpoint());
    return outcome;
  }

  /** The same with the documents that the step read, where the data can tell. */
  private RuntimeException named(NonFiniteLoss e, SparkSession spark) {
    List<String> documents = documents(spark, setup.data(), e.sequences());
    if (documents.isEmpty()) {
      return e;
    }
    String shown =
        documents.stream().limit(DOCUMENTS).collect(Collectors.joining("; "))
            + (documents.size() > DOCUMENTS ? "; …" : "");
    return new IllegalStateException(
        "%s. The step read %,d documents: %s".formatted(e.getMessage(), documents.size(), shown),
        e);
  }

  private static List<String> documents(
      SparkSession spark, SequenceSource data, List<Long> sequences) {
    if (data instanceof BlendedSequences blend) {
      return IntStream.range(0, blend.parts().size())
          .boxed()
          .flatMap(
              part ->
                  documents(spark, blend.parts().get(part).source(), blend.within(part, sequences))
                      .stream())
          .toList();
    }
    return data instanceof DocumentNames named && !sequences.isEmpty()
        ? named.documents(spark, sequences)
        : List.of();
  }

  private String validated(Trainer.Outcome outcome) {
    if (Double.isNaN(outcome.validationLoss())) {
      return "";
    }
    String beside =
        bigram.map(b -> String.format(Locale.ROOT, " (bigram: %.4f)", b.loss())).orElse("");
    return String.format(Locale.ROOT, ", validation loss %.4f%s", outcome.validationLoss(), beside);
  }

  private void measured(Metrics metrics) {
    newest = metrics;
    if (metrics.validationLoss() != null) {
      validationLoss = metrics.validationLoss();
    }
  }

  private Optional<String> line() {
    Metrics m = newest;
    if (m == null) {
      return Optional.of(command + ": first round");
    }
    Duration elapsed = Duration.ofNanos(System.nanoTime() - start);
    StringBuilder line = new StringBuilder();
    line.append(
        String.format(
            Locale.ROOT, "%s: step %,d of %,d", command, m.step(), setup.config().steps()));
    if (m.loss() != null) {
      line.append(String.format(Locale.ROOT, ", loss %.4f", m.loss()));
    }
    if (!Double.isNaN(validationLoss)) {
      line.append(String.format(Locale.ROOT, ", validation %.4f", validationLoss));
    }
    if (m.tokensPerSecond() != null) {
      line.append(String.format(Locale.ROOT, ", %,.0f tokens/s", m.tokensPerSecond()));
    }
    line.append(", ").append(Progress.clock(elapsed));
    int done = m.step() - firstStep;
    if (done > 0) {
      long left = elapsed.toMillis() * (setup.config().steps() - m.step()) / done;
      line.append(", about ").append(Progress.clock(Duration.ofMillis(left))).append(" left");
    }
    return Optional.of(line.toString());
  }

  private void writeReport(Configuration hadoop) {
    List<Metrics> metrics = MetricsLog.sampled(setup.output(), hadoop);
    RunReport page = new RunReport(command).training("loss", metrics, bigram).course(metrics);
    if (!report.runs().isEmpty()) {
      Map<String, List<Metrics>> runs = new LinkedHashMap<>();
      runs.put(new Path(setup.output()).getName(), metrics);
      report.runs().forEach(run -> runs.put(run, others(run, hadoop)));
      page.beside(runs);
    }
    report.mixture().forEach(page::mixture);
    String html = page.html();
    new Storage(hadoop)
        .writeAtomically(
            new Path(setup.output(), "report.html"), html.getBytes(StandardCharsets.UTF_8));
  }

  private static List<Metrics> others(String run, Configuration hadoop) {
    List<Metrics> metrics = MetricsLog.sampled(run, hadoop);
    if (metrics.isEmpty()) {
      throw new IllegalArgumentException(
          "report-runs: " + run + " has no metrics.jsonl, wanted outputs of pretrain or sft");
    }
    return metrics;
  }
}
