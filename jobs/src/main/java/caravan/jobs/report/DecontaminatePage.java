package caravan.jobs.report;

import caravan.jobs.audit.Excerpt;
import caravan.pipeline.StageReport;
import caravan.pipeline.decontaminate.ContaminationReport.Example;
import caravan.pipeline.decontaminate.ContaminationReport.Line;
import caravan.pipeline.decontaminate.DecontaminateConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Which evaluation items are in a corpus, and what became of the documents, as one page. */
public final class DecontaminatePage {
  private static final int EXCERPT = 160;

  private DecontaminatePage() {}

  /**
   * @param inputs what was read, in words
   * @param report of the stage; empty where items were only looked for
   * @param details how the file with every item's line is called
   */
  public static String html(
      String inputs,
      Optional<StageReport> report,
      Contamination contamination,
      DecontaminateConfig config,
      String details) {
    Page page = new Page(report.isPresent() ? "decontaminate" : "evaluation items in the corpus");
    page.note(inputs);
    page.paragraph(contamination.said() + ".");
    page.note(
        "Looked for are runs of %d units (a Han or kana character, a word of other letters and digits); items of %d to %d units as a whole. N-grams that more than %,d items hold are left out."
            .formatted(
                config.ngramUnits(),
                config.minItemUnits(),
                config.ngramUnits() - 1,
                config.maxItemsPerNgram()));
    report.ifPresent(r -> new StageSections(page, r).totals().funnel().flows());
    files(page, contamination);
    items(page, contamination.most());
    page.note("Every item, found or not, has a line in " + details + ".");
    return page.html();
  }

  private static void files(Page page, Contamination contamination) {
    page.section("By file of items");
    List<List<Object>> rows = new ArrayList<>();
    contamination
        .files()
        .forEach(
            (file, tally) ->
                rows.add(
                    List.of(
                        file.isEmpty() ? "given on the command line" : file,
                        tally.items,
                        tally.found,
                        StageSections.percent(tally.found, tally.items),
                        tally.whole,
                        tally.tooShort,
                        tally.common)));
    page.table(
        List.of(
            "File",
            "Items",
            "in the corpus",
            "of all",
            "as a whole",
            "too short to look for",
            "only common n-grams"),
        rows);
  }

  private static void items(Page page, List<Line> lines) {
    page.section("Items that are in the corpus, most of them first");
    if (lines.isEmpty()) {
      page.paragraph("There are none.");
    }
    for (Line line : lines) {
      page.add(
          "<p class=\"label\"><b>%s</b> %s: %s of its %,d units in one document; %,d documents</p>"
              .formatted(
                  Page.escaped(line.item()),
                  Page.escaped(line.file()),
                  share(line.share()),
                  line.units(),
                  line.documents()));
      for (Example example : line.examples()) {
        page.add(
            "<div class=\"text\"><b>%s</b> %s, %s, character %,d: %s</div>"
                .formatted(
                    Page.escaped(example.document()),
                    Page.escaped(example.source()),
                    share(example.share()),
                    example.character(),
                    Page.escaped(Excerpt.line(example.text(), EXCERPT))));
      }
    }
  }

  /** Only what is whole is called 100 %. */
  public static String share(double share) {
    return share == 1 ? "100 %" : String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }
}
