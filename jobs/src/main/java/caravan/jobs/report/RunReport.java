package caravan.jobs.report;

import caravan.model.train.Metrics;
import caravan.pipeline.StageReport;
import caravan.pipeline.shard.TokenManifest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What a whole run did, from raw text to generated text, as one page: {@code report.html}. Parts
 * are added in the order in which they are to be read.
 */
public final class RunReport {
  private final Page page;

  public RunReport(String title) {
    page = new Page(title);
  }

  /**
   * A prompt and what a model wrote after it.
   *
   * @param model which model, in words
   */
  public record Sample(String model, String prompt, String continuation) {}

  /** Documents and characters kept and dropped, by reason, source and language. */
  public RunReport stage(StageReport report) {
    StageReport.Tally in = report.input();
    StageReport.Tally kept = report.kept();
    page.section(report.stage());
    page.paragraph(
        "Kept %,d of %,d documents and %,d of %,d characters in %,.0f s."
            .formatted(
                kept.documents(),
                in.documents(),
                kept.characters(),
                in.characters(),
                report.seconds()));
    List<BarChart.Bar> bars = new ArrayList<>(List.of(new BarChart.Bar("kept", kept.documents())));
    List<List<Object>> reasons = new ArrayList<>();
    report.droppedByReason().entrySet().stream()
        .sorted(Comparator.comparing(dropped -> -dropped.getValue().documents()))
        .forEach(
            dropped -> {
              StageReport.Tally tally = dropped.getValue();
              bars.add(new BarChart.Bar(dropped.getKey(), tally.documents()));
              reasons.add(List.of(dropped.getKey(), tally.documents(), tally.characters()));
            });
    page.figure(
        BarChart.svg("documents by verdict", bars), "Documents kept, and dropped per reason");
    if (!reasons.isEmpty()) {
      page.table(List.of("Dropped as", "Documents", "Characters"), reasons);
    }
    flows("Language", report.byLanguage());
    flows("Source", report.bySource());
    counts("Edited away", "Characters", report.editedAway());
    return this;
  }

  private void flows(String what, Map<String, StageReport.Flow> flows) {
    List<List<Object>> rows = new ArrayList<>();
    flows.forEach(
        (name, flow) ->
            rows.add(
                List.of(
                    name,
                    flow.input().documents(),
                    flow.kept().documents(),
                    flow.dropped().documents(),
                    flow.input().characters(),
                    flow.kept().characters(),
                    flow.dropped().characters())));
    page.table(
        List.of(what, "Documents", "kept", "dropped", "Characters", "kept", "dropped"), rows);
  }

  /** Named counts as a table; nothing when there are none. */
  public RunReport counts(String what, String unit, Map<String, Long> counts) {
    List<List<Object>> rows = new ArrayList<>();
    counts.forEach((name, count) -> rows.add(List.of(name.replace('_', ' '), count)));
    if (!rows.isEmpty()) {
      page.table(List.of(what, unit), rows);
    }
    return this;
  }

  /** Token counts and how long the documents are. */
  public RunReport tokens(Map<String, Long> counts, LengthHistogram lengths) {
    page.section("tokens");
    counts("Token shards", "Count", counts);
    page.figure(
        BarChart.svg("documents by length", lengths.bars()),
        "Training documents by length in tokens, BOS and EOS included");
    return this;
  }

  /**
   * Loss curves.
   *
   * @param bigram held-out loss of the bigram baseline, where it was measured
   */
  public RunReport training(String name, List<Metrics> metrics, Optional<BigramBaseline> bigram) {
    page.section(name);
    new TrainingCurves(page).loss(metrics, bigram);
    bigram.ifPresent(
        b ->
            page.note(
                "The bigram is an interpolated Kneser-Ney model (discount %.3f) of %,d training tokens, scored on the same %,d held-out tokens as the model."
                    .formatted(b.discount(), b.trainTokens(), b.validationTokens())));
    return this;
  }

  /** Learning rate, gradient norm, speed and where a round's time went, by step. */
  public RunReport course(List<Metrics> metrics) {
    page.section("course");
    new TrainingCurves(page).course(metrics);
    return this;
  }

  /** Losses of several trainings in common charts, the page's own first. */
  public RunReport beside(Map<String, List<Metrics>> runs) {
    page.section("beside other runs");
    new TrainingCurves(page).beside(runs);
    return this;
  }

  /** Which share of a directory's training tokens comes from which source. */
  public RunReport mixture(String directory, List<TokenManifest.SourceShare> sources) {
    long all = sources.stream().mapToLong(TokenManifest.SourceShare::writtenTokens).sum();
    List<List<Object>> rows = new ArrayList<>();
    for (TokenManifest.SourceShare source : sources) {
      rows.add(
          List.of(
              source.source(),
              source.language(),
              source.writtenTokens(),
              String.format(Locale.ROOT, "%.1f %%", 100.0 * source.writtenTokens() / all),
              source.effectiveEpochs()));
    }
    if (all > 0) {
      page.section("mixture of " + directory);
      page.table(List.of("Source", "Language", "Tokens", "Share", "Epochs"), rows);
    }
    return this;
  }

  /**
   * Metrics per task; {@code NAME_stderr} is the standard error of {@code NAME}, {@code chance}
   * what guessing scores.
   */
  public RunReport evaluation(String name, Map<String, Map<String, Number>> tasks) {
    page.section(name);
    List<List<Object>> rows = new ArrayList<>();
    tasks.forEach(
        (task, values) ->
            values.forEach(
                (metric, value) -> {
                  if (!metric.endsWith("_stderr") && !metric.equals("chance")) {
                    rows.add(
                        List.of(
                            task,
                            metric,
                            number(value),
                            number(values.get(metric + "_stderr")),
                            metric.startsWith("acc") ? number(values.get("chance")) : ""));
                  }
                }));
    page.table(List.of("Task", "Metric", "Value", "Standard error", "Chance"), rows);
    return this;
  }

  private static String number(Number value) {
    if (value == null) {
      return "";
    }
    boolean whole = value.doubleValue() == Math.rint(value.doubleValue());
    return String.format(Locale.ROOT, whole ? "%,.0f" : "%,.4f", value.doubleValue());
  }

  public RunReport samples(List<Sample> samples) {
    page.section("samples");
    for (Sample sample : samples) {
      page.note(sample.model());
      page.sample(sample.prompt(), sample.continuation());
    }
    return this;
  }

  public String html() {
    return page.html();
  }
}
