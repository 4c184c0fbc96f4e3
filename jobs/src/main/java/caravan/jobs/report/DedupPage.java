package caravan.jobs.report;

import caravan.jobs.audit.DuplicateSample;
import caravan.jobs.audit.Excerpt;
import caravan.jobs.audit.TextChanges;
import caravan.jobs.report.Histogram.Limits;
import caravan.jobs.report.Histogram.Measured;
import caravan.pipeline.StageReport;
import caravan.pipeline.dedup.DedupStage;
import caravan.pipeline.dedup.Repeat;
import caravan.pipeline.dedup.RepeatReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/** What deduplication did, as one page: {@code report.html} beside report.json. */
public final class DedupPage {
  private static final int EXCERPT = 220;
  private static final int CONTEXT = 24;
  private static final int CHANGES = 3;
  private static final int PIECES = 12;

  private DedupPage() {}

  /**
   * @param inputs what was read, in words
   * @param minimumSimilarity from which documents were near duplicates
   * @param repeats text that several documents have; empty when it was not looked for
   */
  public static String html(
      String inputs,
      StageReport report,
      DuplicateSample sample,
      double minimumSimilarity,
      Optional<RepeatReport> repeats) {
    Page page = new Page(report.stage());
    page.note(inputs);
    new StageSections(page, report).totals().funnel().flows();
    earlier(page, report);
    counts(page, report);
    similarities(page, sample, minimumSimilarity);
    lengths(page, sample);
    pairs(page, sample);
    repeats.ifPresent(found -> repeats(page, report, found));
    return page.html();
  }

  private static void repeats(Page page, StageReport report, RepeatReport repeats) {
    page.section("Text that several documents have");
    List<List<Object>> removed = new ArrayList<>();
    report.editedAway().forEach((reason, count) -> removed.add(List.of(reason, count)));
    if (!removed.isEmpty()) {
      page.table(List.of("Removed for", "Characters"), removed);
    }
    if (repeats.repeats() == 0) {
      page.paragraph("There is none.");
      return;
    }
    page.paragraph(
        String.format(
            Locale.ROOT,
            "%,d stretches, all of them in repeats/*.jsonl. The most frequent ones:",
            repeats.repeats()));
    List<List<Object>> rows = new ArrayList<>();
    for (RepeatReport.Line line : repeats.frequent()) {
      Repeat repeat = line.repeat();
      rows.add(
          List.of(
              repeat.documents(),
              repeat.occurrences(),
              repeat.end() - repeat.start(),
              line.kind().replace('_', ' '),
              repeat.first(),
              Excerpt.line(repeat.text(), EXCERPT)));
    }
    page.table(
        List.of("Documents", "Occurrences", "Characters", "Kind", "First in", "Begins"), rows);
  }

  /** What the index did, where there was one. */
  private static void earlier(Page page, StageReport report) {
    Long texts = report.counts().get(DedupStage.EARLIER_TEXTS);
    if (texts != null) {
      page.section("Earlier documents");
      page.paragraph(
          String.format(
              Locale.ROOT,
              "Compared with the index of %,d different texts of earlier runs; %,d documents were dropped for these.",
              texts,
              report.counts().get(DedupStage.DROPPED_FOR_EARLIER)));
    }
  }

  private static void counts(Page page, StageReport report) {
    List<List<Object>> rows = new ArrayList<>();
    report.counts().forEach((name, count) -> rows.add(List.of(name.replace('_', ' '), count)));
    if (!rows.isEmpty()) {
      page.section("Pairs and clusters");
      page.table(List.of("Counted", ""), rows);
    }
  }

  private static void similarities(Page page, DuplicateSample sample, double minimum) {
    page.section("How alike the near duplicates were");
    if (sample.similarities().isEmpty()) {
      page.paragraph("There are none.");
      return;
    }
    List<Measured> values = new ArrayList<>();
    sample
        .similarities()
        .forEach((similarity, documents) -> values.add(new Measured(similarity, false, documents)));
    Limits limits = new Limits(OptionalDouble.of(minimum), OptionalDouble.empty());
    page.figure(
        new Histogram(values, limits, 960, 180).svg("near duplicates by similarity"),
        "Exact Jaccard similarity to the document that stayed; below %s lie those that fell to a chain of near duplicates"
            .formatted(Histogram.label(minimum)));
  }

  private static void lengths(Page page, DuplicateSample sample) {
    page.section("Lengths");
    page.add(StageSections.key());
    List<Measured> values =
        sample.lengths().stream()
            .map(l -> new Measured(l.characters(), l.kept(), l.documents()))
            .toList();
    page.figure(
        new Histogram(values, Limits.NONE, 960, 200).logarithmic().svg("documents by length"),
        "Length in characters, of all documents");
  }

  private static void pairs(Page page, DuplicateSample sample) {
    page.section("Near duplicates, and how they differ from what stayed");
    if (sample.pairs().isEmpty()) {
      page.paragraph("There are none.");
    }
    for (DuplicateSample.Pair pair : sample.pairs()) {
      page.add(
          StageSections.label(
              pair.dropped(),
              String.format(
                  Locale.ROOT,
                  "Jaccard %.3f to %s of source %s",
                  pair.similarity(),
                  pair.stayed().id(),
                  pair.stayed().source())));
      page.add(StageSections.text(Excerpt.line(pair.stayed().text(), EXCERPT)));
      TextChanges.first(pair.stayed().text(), pair.dropped().text(), CONTEXT, CHANGES)
          .forEach(
              change ->
                  page.add(
                      StageSections.change(
                          change.stream()
                              .limit(PIECES)
                              .map(piece -> piece.shortened(EXCERPT))
                              .toList())));
    }
  }
}
