package caravan.jobs;

import caravan.jobs.audit.Excerpt;
import caravan.jobs.audit.OutputChain;
import caravan.jobs.audit.RawRecord;
import caravan.jobs.audit.StageDocuments;
import caravan.jobs.audit.TextChanges;
import caravan.jobs.audit.Trace;
import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.clean.CleanConfig;
import caravan.pipeline.clean.Story;
import caravan.pipeline.dedup.Repeat;
import caravan.pipeline.text.Judge;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/** Prints a document's whole story, from the raw file to its place in the token shards. */
@Command(
    name = "explain",
    customSynopsis = "caravan explain ID output=DIR [OPTIONS] [KEY=VALUE...]",
    description =
        "one document → where it was read, each edit, what every rule measured, its twin, its place in the shards")
final class ExplainJob extends Job<ExplainJob.Config> {
  private static final int EXCERPT = 200;
  private static final int CONTEXT = 24;
  private static final int CHANGES = 5;
  private static final int REPEATS = 10;

  /**
   * @param id of the document
   * @param output an output, or the directory of a prepare
   */
  record Config(String id, String output) {}

  ExplainJob() {
    super(Config.class, "id");
  }

  @Override
  protected int run(Config config) {
    OutputChain chain = OutputChain.of(config.output(), hadoop());
    try (SparkSession spark = openSpark("explain")) {
      List<Trace> traces = Trace.of(spark, chain, config.id());
      Configuration hadoop = spark.sparkContext().hadoopConfiguration();
      for (Trace trace : traces) {
        read(config.id(), trace);
        trace.steps().forEach(step -> stage(step, trace.raw(), hadoop));
        tokens(chain, trace);
      }
    }
    return Caravan.DONE;
  }

  private static void read(String id, Trace trace) {
    trace.steps().stream()
        .findFirst()
        .ifPresent(step -> line("%s, source %s", id, step.document().source()));
    if (trace.raw().isEmpty()) {
      line("read: the raw files are not known here: no output given was made from them");
      return;
    }
    RawRecord raw = trace.raw().get();
    if (raw.document().isEmpty()) {
      line("read from %s: %s", raw.path(), raw.problem());
      return;
    }
    Document document = raw.document().get();
    line("read from %s, %s: %s", raw.path(), raw.place(), length(document.text()));
    line("    %s", Excerpt.line(document.text(), EXCERPT));
    new TreeMap<>(document.meta())
        .forEach((name, value) -> line("    meta %s: %s", name, Excerpt.line(value, EXCERPT / 2)));
  }

  private static void stage(Trace.Step step, Optional<RawRecord> raw, Configuration hadoop) {
    StageDocuments stage = step.stage();
    String said = step.isKept() ? "kept" : "dropped as " + step.reason() + ": " + step.detail();
    line("");
    line(
        "%s: %s%s (%s)",
        stage.stage(),
        said,
        step.document().language().isEmpty() ? "" : "; language " + step.document().language(),
        stage.directory());
    Optional<Document> document = raw.flatMap(RawRecord::document);
    boolean unreadable = document.flatMap(Documents::taggedIfUnreadable).isPresent();
    if (stage.stage().equals("clean") && document.isPresent() && !unreadable) {
      cleaning(step, document.get(), hadoop);
    }
    step.twin().ifPresent(twin -> twin(twin, step.document()));
    if (stage.stage().equals("dedup")) {
      repeats(step.document(), Repeat.LINES_META, "repeated lines");
      repeats(step.document(), Repeat.PASSAGES_META, "repeated passage");
    }
    if (step.fallenCount() > 0) {
      line(
          "  dropped for it: %,d, among them %s",
          step.fallenCount(), String.join(", ", step.fallen()));
    }
    line(
        "    %s: %s",
        length(step.document().text()), Excerpt.line(step.document().text(), EXCERPT));
  }

  private static void cleaning(Trace.Step step, Document raw, Configuration hadoop) {
    CleanConfig config = step.stage().section("clean", CleanConfig.class, hadoop);
    @SuppressWarnings("unchecked")
    Map<String, Object> learned =
        (Map<String, Object>) step.stage().config(hadoop).getOrDefault("learned", Map.of());
    Story story =
        CleanJob.cleaner(config, step.stage().directory().toString(), learned, hadoop).explain(raw);
    for (Story.Step told : story.steps()) {
      if (told instanceof Story.Edit edit) {
        edit(edit);
      } else if (told instanceof Story.Verdict verdict) {
        line(
            "  %s: %s",
            verdict.rule(),
            verdict
                .drop()
                .map(drop -> "drops it as " + drop.reason() + ": " + drop.detail())
                .orElse("keeps it"));
        for (Judge.Measure measure : verdict.measures()) {
          line("    %s %s: %s", measure.passes() ? " " : "✗", measure.reason(), measure.detail());
        }
      }
    }
    String now = story.outcome().drop().map(drop -> drop.reason()).orElse(Documents.KEPT);
    if (!now.equals(step.reason())
        || !story.outcome().document().text().equals(step.document().text())) {
      line(
          "  This program and these settings say %s now: the program or the files that the settings name have changed since.",
          now.equals(step.reason()) ? "the same of another text" : now);
    }
  }

  private static void edit(Story.Edit edit) {
    if (edit.before().equals(edit.after())) {
      line("  %s: nothing to edit", edit.rule());
      return;
    }
    line(
        "  %s: %s",
        edit.rule(),
        edit.removed().isEmpty() ? "as many characters as before" : counts(edit.removed()));
    TextChanges.first(edit.before(), edit.after(), CONTEXT, CHANGES)
        .forEach(change -> line("      %s", Excerpt.start(TextChanges.line(change), 2 * EXCERPT)));
  }

  private static String counts(Map<String, Long> removed) {
    StringBuilder said = new StringBuilder("characters taken away:");
    new TreeMap<>(removed)
        .forEach(
            (reason, count) -> said.append(String.format(Locale.ROOT, " %s %,d", reason, count)));
    return said.toString();
  }

  /** Text that other documents have too, the longest stretches first. */
  private static void repeats(Document document, String meta, String what) {
    String json = document.meta().get(meta);
    List<Repeat> repeats = json == null ? List.of() : Repeat.ofJson(json);
    repeats.stream()
        .sorted(Comparator.comparingInt((Repeat r) -> r.start() - r.end()))
        .limit(REPEATS)
        .forEach(
            repeat -> {
              line(
                  "  %s: characters %,d to %,d of the text before; in %,d documents, first in %s at %,d; %s",
                  what,
                  repeat.start(),
                  repeat.end(),
                  repeat.documents(),
                  repeat.first(),
                  repeat.firstStart(),
                  repeat.removed() == 0 ? "stays" : repeat.removed() + " characters go");
              line("      %s", Excerpt.line(repeat.text(), EXCERPT));
            });
    if (repeats.size() > REPEATS) {
      line("  and %,d more", repeats.size() - REPEATS);
    }
  }

  private static void twin(Trace.Found found, Document document) {
    line("  twin %s, Jaccard similarity %.3f", found.twin().id(), found.twin().similarity());
    found
        .document()
        .ifPresent(
            twin -> {
              line(
                  "    source %s, %s: %s",
                  twin.source(), length(twin.text()), Excerpt.line(twin.text(), EXCERPT));
              TextChanges.first(twin.text(), document.text(), CONTEXT, CHANGES)
                  .forEach(
                      change ->
                          line("      %s", Excerpt.start(TextChanges.line(change), 2 * EXCERPT)));
            });
  }

  private static void tokens(OutputChain chain, Trace trace) {
    if (chain.tokens().isEmpty()) {
      return;
    }
    line("");
    for (Trace.Range range : trace.ranges()) {
      line(
          "tokens: %s, tokens %,d to %,d, %,d of them (%s)",
          range.shard(),
          range.start(),
          range.end(),
          range.end() - range.start(),
          range.directory());
    }
    boolean kept = !trace.steps().isEmpty() && trace.steps().get(trace.steps().size() - 1).isKept();
    if (trace.ranges().isEmpty()) {
      line(
          "tokens: it is in no shard%s",
          kept
              ? ", although it was kept: its text is in tokenize.validation-input or test-input, or tokenize.mixture leaves it out"
              : ", because it was dropped");
    }
  }

  private static String length(String text) {
    return String.format(Locale.ROOT, "%,d characters", text.codePointCount(0, text.length()));
  }

  private static void line(String format, Object... values) {
    System.out.printf(Locale.ROOT, format + "%n", values);
  }
}
