package caravan.jobs;

import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.Collectors;

/** The lines that say what a command did. */
final class Summary {
  /** Drop reasons that are named, the most frequent first. */
  private static final int REASONS = 5;

  private Summary() {}

  static void print(StageOutput.Result result, String output) {
    StageReport report = result.report();
    String dropped =
        report.droppedByReason().entrySet().stream()
            .sorted(Comparator.comparing(e -> -e.getValue().documents()))
            .limit(REASONS)
            .map(e -> "%s %,d".formatted(e.getKey(), e.getValue().documents()))
            .collect(Collectors.joining(", "));
    int others = report.droppedByReason().size() - REASONS;
    String more = others > 0 ? " and %d more reasons, in report.json".formatted(others) : "";
    if (!result.upToDate() && result.reusedDocuments() > 0) {
      System.out.printf(
          "%s: took over the verdicts on %,d of %,d documents from earlier runs%n",
          report.stage(), result.reusedDocuments(), report.input().documents());
    }
    System.out.printf(
        "%s: %skept %,d of %,d documents (%,d characters) in %s%s%n",
        report.stage(),
        result.upToDate() ? "up to date: " : "",
        report.kept().documents(),
        report.input().documents(),
        report.kept().characters(),
        output,
        dropped.isEmpty() ? "" : "; dropped: " + dropped + more);
  }

  /**
   * @param counts what was made, in the order to print it
   */
  static void print(String command, boolean upToDate, Map<String, Long> counts, String output) {
    System.out.printf(
        "%s: %s%s in %s%n",
        command,
        upToDate ? "up to date: " : "",
        counts.entrySet().stream()
            .map(e -> "%,d %s".formatted(e.getValue(), e.getKey()))
            .collect(Collectors.joining(", ")),
        output);
  }
}
