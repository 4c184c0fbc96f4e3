package caravan.pipeline;

import caravan.pipeline.StageReport.Group;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * Whether a stage's output may be committed: no document and no character is lost between input and
 * files, and the limits hold.
 *
 * @param directory the output
 */
record Audit(String stage, Inputs inputs, Path directory, StageOutput.Limits limits) {

  /**
   * Adds up what was written.
   *
   * @throws IllegalStateException when a character is lost
   */
  StageReport report(List<Part> parts, Map<String, Long> counts, double seconds) {
    Map<List<String>, Group> groups = new HashMap<>();
    Map<String, Long> edits = new TreeMap<>();
    for (Part part : parts) {
      part.groups()
          .forEach(
              g -> groups.merge(List.of(g.reason(), g.source(), g.language()), g, Group::plus));
      part.edits().forEach((edit, characters) -> edits.merge(edit, characters, Long::sum));
    }
    List<Group> sorted =
        groups.values().stream().sorted(Comparator.comparing(Group::toString)).toList();
    StageReport report = new StageReport(stage, seconds, sorted, edits, counts);
    long edited = edits.values().stream().mapToLong(Long::longValue).sum();
    long out = report.kept().characters() + report.dropped().characters() + edited;
    if (report.input().characters() != out) {
      throw disagreement(
          report.input().characters()
              + " characters in, "
              + out
              + " kept, dropped and edited away");
    }
    return report;
  }

  private IllegalStateException disagreement(String what) {
    return new IllegalStateException(
        stage
            + ": "
            + what
            + "; nothing was committed to "
            + directory
            + ". The stage is not deterministic or miscounts its edits: a bug, please report it");
  }

  /**
   * @throws IllegalArgumentException when the input held no document, too many unreadable ones, or
   *     none that the stage kept
   */
  void check(StageReport report, List<Part> parts) {
    long in = report.input().documents();
    OptionalLong expected = inputs.documentCount();
    if (expected.isPresent() && expected.getAsLong() != in) {
      throw disagreement(expected.getAsLong() + " documents in the input, " + in + " tagged");
    }
    if (in == 0) {
      throw new IllegalArgumentException(
          "input " + inputs.spec() + ": no documents in it; check the path and read.format");
    }
    Map<String, StageReport.Tally> dropped = report.droppedByReason();
    long broken =
        Documents.BROKEN_REASONS.stream()
            .mapToLong(r -> dropped.getOrDefault(r, StageReport.Tally.NONE).documents())
            .sum();
    if (broken > limits.maxBrokenFraction() * in) {
      throw new IllegalArgumentException(
          "input %s: %,d of %,d records are unreadable, wanted at most %s of them; for example %s. %s"
              .formatted(
                  inputs.spec(),
                  broken,
                  in,
                  limits.maxBrokenFraction(),
                  example(parts),
                  "Check read.format and the field names, or raise read.max-broken-fraction"));
    }
    if (report.kept().documents() == 0 && !limits.allowEmpty()) {
      throw new IllegalArgumentException(
          "%s: kept none of %,d documents, dropped %s. They are in %s; %s"
              .formatted(
                  stage,
                  in,
                  dropped,
                  new Path(directory, DocumentFiles.DROPPED),
                  "check the input's language and the limits in the configuration"));
    }
  }

  private static String example(List<Part> parts) {
    return parts.stream()
        .map(Part::brokenExample)
        .filter(example -> !example.isEmpty())
        .min(Comparator.naturalOrder())
        .orElseThrow();
  }
}
