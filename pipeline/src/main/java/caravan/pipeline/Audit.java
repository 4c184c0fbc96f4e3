package caravan.pipeline;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.explode;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import caravan.pipeline.StageReport.Group;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Whether a stage's output may be committed: no document and no character is lost between input and
 * files, and the limits hold.
 *
 * @param directory the output
 */
record Audit(Stage stage, Inputs inputs, Path directory, StageOutput.Limits limits) {

  /**
   * Joins what was written with what the stage says it got.
   *
   * @param tagged the stage's rows
   * @param writtenGroups counted from the files
   * @param start when the run began, by {@link System#nanoTime}
   * @throws IllegalStateException when they do not agree
   */
  StageReport report(Dataset<Row> tagged, List<Group> writtenGroups, long start) {
    Map<List<String>, Group> written =
        writtenGroups.stream()
            .collect(Collectors.toMap(g -> List.of(g.reason(), g.source(), g.language()), g -> g));
    List<Group> groups = new ArrayList<>();
    for (Row row :
        tagged
            .groupBy("reason", "source", "language")
            .agg(count(lit(1)), sum("inputCharacters"))
            .collectAsList()) {
      List<String> key = List.of(row.getString(0), row.getString(1), row.getString(2));
      Group g = written.remove(key);
      if (g == null || g.documents() != row.getLong(3)) {
        throw disagreement(key + ": " + row.getLong(3) + " tagged, written " + g);
      }
      groups.add(
          new Group(
              g.reason(), g.source(), g.language(), g.documents(), row.getLong(4), g.characters()));
    }
    if (!written.isEmpty()) {
      throw disagreement("written but not tagged: " + written.values());
    }
    groups.sort(Comparator.comparing(Group::toString));
    double seconds = Math.round((System.nanoTime() - start) / 1e7) / 100.0;
    StageReport report =
        new StageReport(stage.name(), seconds, groups, edits(tagged), stage.counts());
    long edited = report.editedAway().values().stream().mapToLong(Long::longValue).sum();
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

  private static Map<String, Long> edits(Dataset<Row> tagged) {
    Map<String, Long> edits = new TreeMap<>();
    tagged
        .select(explode(col("edits")))
        .groupBy("key")
        .agg(sum("value"))
        .collectAsList()
        .forEach(row -> edits.put(row.getString(0), row.getLong(1)));
    return edits;
  }

  private IllegalStateException disagreement(String what) {
    return new IllegalStateException(
        stage.name()
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
  void check(StageReport report, Dataset<Row> tagged) {
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
                  example(tagged),
                  "Check read.format and the field names, or raise read.max-broken-fraction"));
    }
    if (report.kept().documents() == 0 && !limits.allowEmpty()) {
      throw new IllegalArgumentException(
          "%s: kept none of %,d documents, dropped %s. They are in %s; %s"
              .formatted(
                  stage.name(),
                  in,
                  dropped,
                  new Path(directory, DocumentFiles.DROPPED),
                  "check the input's language and the limits in the configuration"));
    }
  }

  private static String example(Dataset<Row> tagged) {
    Row row =
        tagged
            .filter(col("reason").isInCollection(Documents.BROKEN_REASONS))
            .orderBy("path", "id")
            .select("path", "detail")
            .first();
    return row.getString(0) + ": " + row.getString(1);
  }
}
