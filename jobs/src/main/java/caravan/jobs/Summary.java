package caravan.jobs;

import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.Collectors;

/** The lines that say what a command did. */
final class Summary {
  private Summary() {}

  static void print(StageOutput.Result result, String output) {
    StageReport report = result.report();
    String dropped =
        report.droppedByReason().entrySet().stream()
            .sorted(Comparator.comparing(e -> -e.getValue().documents()))
            .map(e -> "%s %,d".formatted(e.getKey(), e.getValue().documents()))
            .collect(Collectors.joining(", "));
    System.out.printf(
        "%s: %skept %,d of %,d documents (%,d characters) in %s%s%n",
        report.stage(),
        result.upToDate() ? "up to date: " : "",
        report.kept().documents(),
        report.input().documents(),
        report.kept().characters(),
        output,
        dropped.isEmpty() ? "" : "; dropped: " + dropped);
  }

  /**
   * @param what the counts, in the order to print them
   */
  static void print(String command, boolean upToDate, Map<String, Long> what, String output) {
    System.out.printf(
        "%s: %s%s in %s%n",
        command,
        upToDate ? "up to date: " : "",
        what.entrySet().stream()
            .map(e -> "%,d %s".formatted(e.getValue(), e.getKey()))
            .collect(Collectors.joining(", ")),
        output);
  }
}
