package caravan.pipeline;

import caravan.pipeline.StageReport.Group;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Takes the texts of documents out of a finished stage output, whether they were kept or dropped.
 * Their ids stay listed in {@code dropped/reason=deletion_request/}, with an empty text and no
 * meta; report.json counts their characters as edited away. The output keeps its inputs and
 * configuration: its stage, run again, finds it up to date, and does not bring them back.
 *
 * <p>All files are written anew; as ever the manifest commits, and only then the old ones go. What
 * earlier runs of a {@link DocumentStage} recorded for later ones goes too.
 */
public final class DocumentDeletion {
  /** Drop reason of a document whose deletion was asked for. */
  public static final String REASON = "deletion_request";

  private static final String DETAIL = "deleted on request";

  private DocumentDeletion() {}

  /** The verdict on a document to be deleted: its place in the lists, and nothing of its text. */
  public static Tagged tagged(Document d) {
    long characters = d.text().codePointCount(0, d.text().length());
    Document listed = new Document(d.id(), d.source(), d.path(), d.language(), "", Map.of());
    return new Tagged(listed, REASON, DETAIL, characters, Map.of(REASON, characters));
  }

  /**
   * @param directory a finished stage output
   * @return the output's new report
   * @throws IllegalArgumentException when it is none
   */
  public static StageReport run(SparkSession spark, String directory, IdSet ids) {
    Configuration conf = spark.sparkContext().hadoopConfiguration();
    Storage storage = new Storage(conf);
    Path path = storage.qualify(new Path(directory));
    Manifest old = Manifest.read(conf, path, Manifest.DOCUMENTS);
    DocumentFiles files = new DocumentFiles(spark, storage, path);
    Parts parts = new Parts(spark, storage, path);
    List<Part> written = parts.write(tagged(files, old, ids), old.configHash());
    StageReport before = Json.MAPPER.convertValue(old.extra().get("report"), StageReport.class);
    StageReport report = report(before, written);
    Manifest manifest = manifest(old, report, written);
    storage.writeAtomically(new Path(path, StageOutput.REPORT), Json.bytes(report));
    manifest.write(conf, path);
    files.deleteExcept(
        Set.copyOf(manifest.files().stream().map(Manifest.OutputFile::path).toList()));
    parts.deleteRecordsExcept(List.of());
    return report;
  }

  private static JavaRDD<Tagged> tagged(DocumentFiles files, Manifest manifest, IdSet ids) {
    List<String> paths = manifest.files().stream().map(Manifest.OutputFile::path).toList();
    JavaRDD<Tagged> kept = rows(files.kept(paths), Documents.KEPT, ids);
    for (String reason : DocumentFiles.reasons(paths)) {
      kept = kept.union(rows(files.dropped(paths, reason), reason, ids));
    }
    return kept;
  }

  private static JavaRDD<Tagged> rows(Dataset<Row> rows, String reason, IdSet ids) {
    boolean kept = reason.equals(Documents.KEPT);
    return rows.toJavaRDD()
        .map(
            row -> {
              Document d = Documents.fromRow(row);
              if (ids.contains(d.id()) && !reason.equals(REASON)) {
                return tagged(d);
              }
              long characters = d.text().codePointCount(0, d.text().length());
              String detail = kept ? "" : row.getAs("detail");
              return new Tagged(d, reason, detail, characters, Map.of());
            });
  }

  /** The report before, less what is gone: input and its characters are what they were. */
  private static StageReport report(StageReport before, List<Part> written) {
    Map<List<String>, Group> old = new HashMap<>();
    before.groups().forEach(group -> old.put(key(group), group));
    Map<List<String>, Group> sums = new HashMap<>();
    written.forEach(
        part -> part.groups().forEach(group -> sums.merge(key(group), group, Group::plus)));
    List<Group> groups = new ArrayList<>();
    for (Group now : sums.values()) {
      Group was = old.getOrDefault(key(now), new Group("", "", "", 0, 0, 0));
      long input = now.inputCharacters() + was.inputCharacters() - was.characters();
      groups.add(
          new Group(
              now.reason(),
              now.source(),
              now.language(),
              now.documents(),
              input,
              now.characters()));
    }
    old.forEach(
        (key, was) -> {
          if (!sums.containsKey(key) && was.inputCharacters() != was.characters()) {
            groups.add(
                new Group(
                    was.reason(),
                    was.source(),
                    was.language(),
                    0,
                    was.inputCharacters() - was.characters(),
                    0));
          }
        });
    groups.sort(Comparator.comparing(Group::toString));
    Map<String, Long> edits = new TreeMap<>(before.editedAway());
    written.forEach(part -> part.edits().forEach((edit, n) -> edits.merge(edit, n, Long::sum)));
    return new StageReport(before.stage(), before.seconds(), groups, edits, before.counts());
  }

  private static List<String> key(Group group) {
    return List.of(group.reason(), group.source(), group.language());
  }

  private static Manifest manifest(Manifest old, StageReport report, List<Part> written) {
    Map<String, Object> extra = new TreeMap<>(old.extra());
    extra.put("report", report);
    return Manifest.of(
        Manifest.DOCUMENTS,
        old.inputs(),
        old.configHash(),
        StageOutput.counts(report),
        StageOutput.files(written),
        StageOutput.contentHash(report, written),
        extra);
  }
}
