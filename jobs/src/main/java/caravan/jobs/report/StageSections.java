package caravan.jobs.report;

import caravan.jobs.audit.Excerpt;
import caravan.jobs.audit.TextChanges.Piece;
import caravan.pipeline.Document;
import caravan.pipeline.StageReport;
import caravan.pipeline.StageReport.Flow;
import caravan.pipeline.StageReport.Tally;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/** What the pages of all stages have: totals, the funnel, languages and sources, marked texts. */
final class StageSections {
  /** Reasons that have a bar of their own, the most frequent ones. */
  private static final int BARS = 15;

  /** Sources that are named, the largest first. */
  private static final int SOURCES = 25;

  private final Page page;
  private final StageReport report;

  StageSections(Page page, StageReport report) {
    this.page = page;
    this.report = report;
  }

  /** The totals, in large figures. */
  StageSections totals() {
    Tally in = report.input();
    Tally kept = report.kept();
    long edited = report.editedAway().values().stream().mapToLong(Long::longValue).sum();
    StringBuilder tiles = new StringBuilder("<div class=\"tiles\">");
    tile(tiles, number(in.documents()), "documents read");
    tile(
        tiles,
        number(kept.documents()),
        "documents kept, " + percent(kept.documents(), in.documents()));
    tile(tiles, number(in.characters()), "characters read");
    tile(
        tiles,
        number(kept.characters()),
        "characters kept, " + percent(kept.characters(), in.characters()));
    if (edited != 0) {
      tile(tiles, number(edited), "characters edited away");
    }
    tile(tiles, String.format(Locale.ROOT, "%,.1f s", report.seconds()), "wall time");
    page.add(tiles.append("</div>").toString());
    return this;
  }

  private static void tile(StringBuilder tiles, String figure, String what) {
    tiles
        .append("<div class=\"tile\"><b>")
        .append(Page.escaped(figure))
        .append("</b><span>")
        .append(Page.escaped(what))
        .append("</span></div>");
  }

  /** Which reason took how many documents, from all that were read to those that stayed. */
  StageSections funnel() {
    page.section("What became of the documents");
    Tally in = report.input();
    List<Map.Entry<String, Tally>> dropped = byDocuments(report.droppedByReason());
    List<Funnel.Step> steps = new ArrayList<>();
    dropped.stream()
        .limit(BARS)
        .forEach(e -> steps.add(new Funnel.Step(e.getKey(), e.getValue().documents())));
    if (dropped.size() > BARS) {
      long rest = dropped.stream().skip(BARS).mapToLong(e -> e.getValue().documents()).sum();
      steps.add(new Funnel.Step((dropped.size() - BARS) + " more reasons", rest));
    }
    page.figure(
        Funnel.svg(in.documents(), steps),
        "From all documents read to those kept: each bar is what one reason took");
    List<List<Object>> rows = new ArrayList<>();
    rows.add(row("kept", report.kept(), in));
    dropped.forEach(entry -> rows.add(row(entry.getKey(), entry.getValue(), in)));
    boolean many = dropped.size() > BARS;
    page.add(many ? "<details><summary>Every reason in figures</summary>" : "");
    page.table(List.of("Verdict", "Documents", "of all", "Characters", "of all"), rows);
    page.add(many ? "</details>" : "");
    page.note(
        "Characters are Unicode code points: of dropped documents as they are kept aside, of kept ones as written. The dropped documents are in dropped/, with the detail that decided; inspect shows twenty per reason.");
    return this;
  }

  private static List<Object> row(String verdict, Tally tally, Tally in) {
    return List.of(
        verdict,
        tally.documents(),
        percent(tally.documents(), in.documents()),
        tally.characters(),
        percent(tally.characters(), in.characters()));
  }

  private static List<Map.Entry<String, Tally>> byDocuments(Map<String, Tally> tallies) {
    return tallies.entrySet().stream()
        .sorted(
            Comparator.comparing((Map.Entry<String, Tally> e) -> -e.getValue().documents())
                .thenComparing(Map.Entry::getKey))
        .toList();
  }

  /** The funnel once more, for each language and each source. */
  StageSections flows() {
    page.section("By language");
    flows("Language", report.byLanguage(), StageReport.Group::language);
    page.section("By source");
    flows("Source", report.bySource(), StageReport.Group::source);
    return this;
  }

  private void flows(
      String what, Map<String, Flow> flows, Function<StageReport.Group, String> key) {
    List<Map.Entry<String, Flow>> largest =
        flows.entrySet().stream()
            .sorted(
                Comparator.comparing(
                        (Map.Entry<String, Flow> e) -> -e.getValue().input().documents())
                    .thenComparing(Map.Entry::getKey))
            .limit(SOURCES)
            .toList();
    StringBuilder table =
        new StringBuilder(
            "<table><thead><tr><th>"
                + what
                + "</th><th class=\"number\">Documents</th><th class=\"number\">kept</th><th></th>"
                + "<th class=\"number\">Characters</th><th class=\"number\">kept</th>"
                + "<th>Dropped, most frequent reasons</th></tr></thead><tbody>\n");
    for (Map.Entry<String, Flow> entry : largest) {
      Flow flow = entry.getValue();
      String name = entry.getKey().isEmpty() ? "not identified" : entry.getKey();
      table
          .append("<tr><td>")
          .append(Page.escaped(name))
          .append("</td>")
          .append(numberCell(flow.input().documents()))
          .append(numberCell(flow.kept().documents()))
          .append("<td>")
          .append(share(flow.kept().documents(), flow.input().documents()))
          .append("</td>")
          .append(numberCell(flow.input().characters()))
          .append(numberCell(flow.kept().characters()))
          .append("<td class=\"detail\">")
          .append(Page.escaped(reasons(entry.getKey(), key)))
          .append("</td></tr>\n");
    }
    page.add(table.append("</tbody></table>").toString());
    if (flows.size() > largest.size()) {
      page.note("%,d more are in report.json".formatted(flows.size() - largest.size()));
    }
  }

  /** The reasons that took most documents of one language or source. */
  private String reasons(String name, Function<StageReport.Group, String> key) {
    Map<String, Tally> tallies = new TreeMap<>();
    report.groups().stream()
        .filter(g -> key.apply(g).equals(name) && !g.reason().equals("kept"))
        .forEach(
            g ->
                tallies.merge(
                    g.reason(),
                    new Tally(g.documents(), 0),
                    (a, b) -> new Tally(a.documents() + b.documents(), 0)));
    List<String> said =
        byDocuments(tallies).stream()
            .limit(4)
            .map(e -> e.getKey() + " " + number(e.getValue().documents()))
            .toList();
    return String.join(", ", said) + (tallies.size() > said.size() ? " …" : "");
  }

  private static String numberCell(long value) {
    return "<td class=\"number\">" + number(value) + "</td>";
  }

  private static String share(long part, long whole) {
    double percent = whole == 0 ? 0 : 100.0 * part / whole;
    return String.format(
        Locale.ROOT,
        "<div class=\"share\"><i style=\"width:%.1f%%\"></i><i style=\"width:%.1f%%\"></i></div>",
        percent,
        whole == 0 ? 0 : 100 - percent);
  }

  static String number(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  static String percent(long part, long whole) {
    if (whole == 0) {
      return "";
    }
    double percent = 100.0 * part / whole;
    return part != 0 && Math.abs(percent) < 0.05
        ? (part < 0 ? "> −0.1 %" : "< 0.1 %")
        : String.format(Locale.ROOT, "%.1f %%", percent);
  }

  /** What stands above a text: which document it is, and what was said of it. */
  static String label(Document d, String said) {
    return "<p class=\"label\"><b>%s</b> %s, %s%s</p>"
        .formatted(
            Page.escaped(d.id()),
            Page.escaped(d.source()),
            Page.escaped(d.language()),
            said.isEmpty() ? "" : ": " + Page.escaped(said));
  }

  /** A text as it stands. */
  static String text(String text) {
    return "<div class=\"text\">" + Page.escaped(Excerpt.visibleLines(text)) + "</div>";
  }

  /** A change with what went and what came. */
  static String change(List<Piece> pieces) {
    StringBuilder html = new StringBuilder("<div class=\"change\">");
    for (Piece piece : pieces) {
      String text = Page.escaped(Excerpt.visible(piece.text()));
      switch (piece.kind()) {
        case SAME -> html.append(text);
        case REMOVED -> html.append("<del>").append(text).append("</del>");
        default -> html.append("<ins>").append(text).append("</ins>");
      }
    }
    return html.append("</div>").toString();
  }

  /** Says which colour is which. */
  static String key() {
    return "<p class=\"soft key\"><i style=\"background:var(--kept)\"></i>kept"
        + "<i style=\"background:var(--gone)\"></i>dropped</p>";
  }

  /** The same where limits are drawn. */
  static String keyWithLimits() {
    return key()
        .replace(
            "</p>", "<i style=\"background:var(--gone);opacity:.25\"></i>beyond the limit</p>");
  }
}
