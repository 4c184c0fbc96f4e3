package caravan.jobs.report;

import caravan.jobs.audit.CleanSample;
import caravan.jobs.audit.CleanSample.Told;
import caravan.jobs.audit.Excerpt;
import caravan.jobs.audit.TextChanges;
import caravan.jobs.audit.TextChanges.Piece;
import caravan.jobs.report.Histogram.Limits;
import caravan.jobs.report.Histogram.Measured;
import caravan.pipeline.StageReport;
import caravan.pipeline.clean.Story;
import caravan.pipeline.text.Judge;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;

/** What cleaning did, as one page: {@code report.html} beside report.json. */
public final class CleanPage {
  private static final int SAMPLES = 3;
  private static final int EXCERPT = 220;
  private static final int CONTEXT = 24;

  private final Page page;
  private final StageReport report;
  private final List<Told> sample;

  private CleanPage(String inputs, StageReport report, CleanSample sample) {
    this.page = new Page(report.stage());
    this.report = report;
    this.sample = sample.documents();
    page.note(inputs);
  }

  /**
   * @param inputs what was read, in words
   * @param sample documents with their stories
   */
  public static String html(String inputs, StageReport report, CleanSample sample) {
    CleanPage clean = new CleanPage(inputs, report, sample);
    new StageSections(clean.page, report).totals().funnel().flows();
    clean.edits();
    clean.lengths();
    clean.scores();
    clean.dropped();
    return clean.page.html();
  }

  private void edits() {
    page.section("Edits");
    if (report.editedAway().isEmpty()) {
      page.paragraph("No text was edited.");
      return;
    }
    List<List<Object>> rows = new ArrayList<>();
    report.editedAway().entrySet().stream()
        .sorted(Comparator.comparing(e -> -e.getValue()))
        .forEach(
            e ->
                rows.add(
                    List.of(
                        e.getKey(),
                        e.getValue(),
                        StageSections.percent(e.getValue(), report.input().characters()))));
    page.table(List.of("Edited away as", "Characters", "of all read"), rows);
    Map<String, Map<String, List<String>>> samples = new TreeMap<>();
    for (Told told : sample) {
      for (Story.Step step : told.story().steps()) {
        if (step instanceof Story.Edit edit && !edit.before().equals(edit.after())) {
          List<String> shown =
              samples
                  .computeIfAbsent(edit.rule(), r -> new TreeMap<>())
                  .computeIfAbsent(told.story().language(), l -> new ArrayList<>());
          if (shown.size() < SAMPLES) {
            shown.add(changes(told, edit));
          }
        }
      }
    }
    samples.forEach(
        (rule, languages) -> {
          page.add("<h3>" + Page.escaped(rule) + ", before and after</h3>");
          languages.values().forEach(shown -> shown.forEach(page::add));
        });
  }

  private static String changes(Told told, Story.Edit edit) {
    List<List<Piece>> changes = TextChanges.first(edit.before(), edit.after(), CONTEXT, 2);
    StringBuilder html = new StringBuilder(label(told, ""));
    changes.forEach(
        change ->
            html.append(
                StageSections.change(
                    change.stream().limit(12).map(p -> p.shortened(EXCERPT)).toList())));
    return html.toString();
  }

  private static String label(Told told, String said) {
    return StageSections.label(told.document().withLanguage(told.story().language()), said);
  }

  private void lengths() {
    page.section("Lengths");
    List<Measured> values =
        sample.stream()
            .filter(told -> !told.document().text().isEmpty())
            .map(
                told -> {
                  String text = told.document().text();
                  return new Measured(text.codePointCount(0, text.length()), told.isKept(), 1);
                })
            .toList();
    page.add(StageSections.key());
    page.figure(
        new Histogram(values, Limits.NONE, 960, 200).logarithmic().svg("documents by length"),
        "Length in characters as read, of " + sampled());
  }

  private String sampled() {
    return String.format(
        Locale.ROOT,
        "a sample of %,d documents (the first ones of some parts of the input, chosen by hash, from every source alike; none above %,d chars)",
        sample.size(),
        CleanSample.MAX_CHARS);
  }

  /** A measure's values over the sample. */
  private record Score(String rule, Judge.Measure example, List<Measured> values, long failing) {}

  private void scores() {
    page.section("What the rules measured");
    page.note(
        "Every rule of a document's language is asked here, also after one that drops it, on "
            + sampled()
            + ". Kept and dropped is the verdict on the whole document.");
    page.add(StageSections.keyWithLimits());
    Map<String, List<Told>> byLanguage = new TreeMap<>();
    sample.forEach(
        told ->
            byLanguage.computeIfAbsent(told.story().language(), l -> new ArrayList<>()).add(told));
    byLanguage.forEach(
        (language, documents) -> {
          List<Score> scores = scores(documents);
          if (!scores.isEmpty()) {
            page.add(
                "<h3>%s, %,d documents</h3>".formatted(Page.escaped(language), documents.size()));
            page.add(panels(scores.stream().filter(s -> s.failing() > 0).toList()));
            List<Score> passed = scores.stream().filter(s -> s.failing() == 0).toList();
            if (!passed.isEmpty()) {
              page.add(
                  "<details><summary>%,d more measures, which no document of the sample fails</summary>%s</details>"
                      .formatted(passed.size(), panels(passed)));
            }
          }
        });
  }

  private static List<Score> scores(List<Told> documents) {
    Map<String, List<Measured>> values = new LinkedHashMap<>();
    Map<String, Judge.Measure> examples = new LinkedHashMap<>();
    Map<String, String> rules = new LinkedHashMap<>();
    Map<String, Long> failing = new LinkedHashMap<>();
    for (Told told : documents) {
      for (Story.Step step : told.story().steps()) {
        if (step instanceof Story.Verdict verdict) {
          for (Judge.Measure m : verdict.measures()) {
            String key = verdict.rule() + "\0" + m.reason() + "\0" + m.unit() + "\0" + m.bound();
            rules.put(key, verdict.rule());
            examples.putIfAbsent(key, m);
            values
                .computeIfAbsent(key, k -> new ArrayList<>())
                .add(new Measured(m.value(), told.isKept(), 1));
            failing.merge(key, m.passes() ? 0L : 1L, Long::sum);
          }
        }
      }
    }
    return values.entrySet().stream()
        .map(
            e ->
                new Score(
                    rules.get(e.getKey()),
                    examples.get(e.getKey()),
                    e.getValue(),
                    failing.get(e.getKey())))
        .sorted(Comparator.comparing(score -> -score.failing()))
        .toList();
  }

  private static String panels(List<Score> scores) {
    StringBuilder html = new StringBuilder("<div class=\"panels\">\n");
    for (Score score : scores) {
      Judge.Measure m = score.example();
      boolean minimum = m.bound() == Judge.Bound.MINIMUM;
      OptionalDouble limit = OptionalDouble.of(m.limit());
      Limits limits =
          new Limits(
              minimum ? limit : OptionalDouble.empty(), minimum ? OptionalDouble.empty() : limit);
      html.append("<figure><h4>").append(Page.escaped(m.reason())).append("</h4>");
      html.append(new Histogram(score.values(), limits, 300, 110).svg(m.reason()));
      html.append("<figcaption>")
          .append(
              Page.escaped(
                  "%s: %s; %s %s; %,d of %,d beyond"
                      .formatted(
                          score.rule(),
                          m.unit(),
                          minimum ? "at least" : "at most",
                          Histogram.label(m.limit()),
                          score.failing(),
                          score.values().size())))
          .append("</figcaption></figure>\n");
    }
    return html.append("</div>").toString();
  }

  private void dropped() {
    Map<String, List<Told>> byReason = new TreeMap<>();
    sample.stream()
        .filter(told -> !told.isKept())
        .forEach(told -> byReason.computeIfAbsent(told.reason(), r -> new ArrayList<>()).add(told));
    page.section("Dropped documents of the sample");
    if (byReason.isEmpty()) {
      page.paragraph("None.");
    }
    byReason.forEach(
        (reason, documents) -> {
          page.add("<h3>" + Page.escaped(reason) + "</h3>");
          documents.stream()
              .limit(SAMPLES)
              .forEach(
                  told -> {
                    String detail = told.story().outcome().drop().orElseThrow().detail();
                    page.add(label(told, detail));
                    page.add(
                        StageSections.text(
                            Excerpt.start(
                                told.story().outcome().document().text().strip(), EXCERPT)));
                  });
        });
  }
}
