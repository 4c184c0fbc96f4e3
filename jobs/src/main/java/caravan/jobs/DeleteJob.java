package caravan.jobs;

import caravan.jobs.audit.StageDocuments;
import caravan.jobs.audit.Whereabouts;
import caravan.pipeline.DocumentDeletion;
import caravan.pipeline.IdSet;
import caravan.pipeline.Storage;
import caravan.pipeline.dedup.DedupIndex;
import caravan.pipeline.dedup.RepeatReport;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;

/**
 * Carries out deletion requests: texts leave the outputs of stages and an index, and what else
 * holds them is named. Nothing is touched when an id is nowhere.
 */
@Command(
    name = "delete",
    customSynopsis =
        "caravan delete deletions=IDS_OR_FILE output=DIR [index=DIR] [OPTIONS] [KEY=VALUE...]",
    description =
        "deletion requests: documents leave the outputs of stages and dedup's index; names the shards and checkpoints that hold them")
final class DeleteJob extends Job<DeleteJob.Config> {
  private static final int NAMED = 5;

  /**
   * @param deletions ids, or files of ids
   * @param output outputs, directories of outputs, and trainings
   * @param index of dedup
   */
  record Config(List<String> deletions, List<String> output, Optional<String> index) {}

  DeleteJob() {
    super(Config.class);
  }

  @Override
  protected int run(Config config) {
    try (SparkSession spark = openSpark("delete")) {
      Configuration hadoop = spark.sparkContext().hadoopConfiguration();
      Set<String> ids = ids(config.deletions(), new Storage(hadoop));
      Whereabouts found = Whereabouts.of(spark, config.output(), ids);
      Optional<DedupIndex> index = config.index().map(path -> DedupIndex.open(hadoop, path));
      Set<String> nowhere = new TreeSet<>(ids);
      nowhere.removeAll(found.ids());
      index.ifPresent(known -> nowhere.removeAll(known.known(spark, ids)));
      refuse(spark, config, ids, nowhere);
      line("%,d ids; before the deletion they were here:", ids.size());
      ForgetJob.print(found);
      delete(spark, found, IdSet.of(ids));
      index.ifPresent(known -> delete(spark, known, ids, config.index().get()));
      if (!found.ranges().isEmpty()) {
        line(
            "Token shards and checkpoints are as they were: tokenize and train again without these.");
      }
    }
    return Caravan.DONE;
  }

  private static void refuse(
      SparkSession spark, Config config, Set<String> ids, Set<String> nowhere) {
    if (!nowhere.isEmpty()) {
      throw new IllegalArgumentException(
          "deletions: %,d of %,d ids are in no output%s: %s. Nothing was deleted; correct the list, or the outputs that are searched. %s"
              .formatted(
                  nowhere.size(),
                  ids.size(),
                  config.index().map(path -> " and not in the index " + path).orElse(""),
                  String.join(", ", nowhere.stream().limit(NAMED).toList()),
                  Whereabouts.unknown(spark, config.output(), nowhere.iterator().next())));
    }
  }

  /**
   * @param deletions ids, and paths of files that hold some
   */
  static Set<String> ids(List<String> deletions, Storage storage) {
    Set<String> ids = new TreeSet<>();
    for (String each : deletions) {
      if (each.isBlank()) {
        continue;
      }
      // An id may hold what no path may, such as a colon.
      boolean isPath = !each.contains(":") || each.contains("://");
      Optional<FileStatus> file = isPath ? storage.status(new Path(each)) : Optional.empty();
      if (file.isEmpty()) {
        ids.add(each);
      } else if (file.get().isDirectory()) {
        throw new IllegalArgumentException(
            "deletions %s: is a directory, wanted ids or a file with one on each line"
                .formatted(each));
      } else {
        new String(storage.read(new Path(each)), StandardCharsets.UTF_8)
            .lines()
            .map(String::strip)
            .filter(line -> !line.isEmpty())
            .forEach(ids::add);
      }
    }
    if (ids.isEmpty()) {
      throw new IllegalArgumentException(
          "deletions: got no id, wanted at least one, or a file with one on each line");
    }
    return ids;
  }

  private static void delete(SparkSession spark, Whereabouts found, IdSet ids) {
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    Map<String, StageDocuments> stages = new LinkedHashMap<>();
    found.places().stream()
        .filter(Whereabouts.Place::hasText)
        .forEach(place -> stages.put(place.stage().directory(), place.stage()));
    for (StageDocuments stage : stages.values()) {
      List<String> fallen = stage.fallenTo(spark, ids, NAMED + 1);
      DocumentDeletion.run(spark, stage.directory(), ids);
      storage.delete(new Path(stage.directory(), StagePages.FILE)); // it shows texts, as these do
      RepeatReport.delete(storage, stage.directory());
      long texts =
          found.places().stream()
              .filter(place -> place.hasText() && place.stage().equals(stage))
              .count();
      line(
          "deleted %,d documents of %s; they are listed in dropped/reason=%s",
          texts, stage.directory(), DocumentDeletion.REASON);
      if (!fallen.isEmpty()) {
        line(
            "  dropped there as duplicates of a deleted one, and not brought back: %s%s",
            String.join(", ", fallen.stream().limit(NAMED).toList()),
            fallen.size() > NAMED ? " and more" : "");
      }
    }
  }

  private static void delete(SparkSession spark, DedupIndex index, Set<String> ids, String path) {
    DedupIndex.Deletion deletion = index.delete(spark, ids);
    line(
        "deleted %,d texts of the index %s, %,d of them because they had fallen to a deleted one (%s)",
        deletion.texts(), path, deletion.fallen(), deletion.list());
  }

  private static void line(String format, Object... values) {
    System.out.printf(Locale.ROOT, format + "%n", values);
  }
}
