package caravan.jobs.audit;

import static org.apache.spark.sql.functions.broadcast;
import static org.apache.spark.sql.functions.col;

import caravan.pipeline.DocumentDeletion;
import caravan.pipeline.Json;
import caravan.pipeline.Storage;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Where documents are: in which outputs of stages, where in token shards, and in which checkpoints
 * that were trained on these.
 *
 * @param places in outputs of stages
 * @param ranges in token shards
 * @param checkpoints trained on such shards
 */
public record Whereabouts(List<Place> places, List<Tokens> ranges, List<Checkpoint> checkpoints) {
  /** Where a checkpoint says what it was trained on. */
  private static final String STATE = "caravan/state.json";

  private static final String TRAIN = "train/";

  /**
   * A document in a stage's output.
   *
   * @param reason {@code kept}, or why it was dropped
   */
  public record Place(
      StageDocuments stage, String id, String source, String path, String reason, String detail) {
    /** Whether its text is there. */
    public boolean hasText() {
      return !reason.equals(DocumentDeletion.REASON);
    }
  }

  /** A document in token shards. */
  public record Tokens(String id, String source, Trace.Range range) {}

  /**
   * A checkpoint whose training data held such a document.
   *
   * @param tokens the shards that it was trained on
   * @param position sequences that it had read
   * @param sequences of an epoch; the order is random, so that before the first epoch's end it may
   *     have read the document or not
   */
  public record Checkpoint(String directory, String tokens, long position, long sequences) {}

  /**
   * Looks for documents.
   *
   * @param directories outputs, directories of outputs, and trainings
   */
  public static Whereabouts of(
      SparkSession spark, List<String> directories, Collection<String> ids) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    OutputChain chain = OutputChain.find(directories, hadoop);
    Dataset<Row> wanted =
        broadcast(
            spark.createDataset(List.copyOf(new TreeSet<>(ids)), Encoders.STRING()).toDF("id"));
    List<Place> places = new ArrayList<>();
    for (StageDocuments stage : chain.stages()) {
      for (Row row : matching(stage.all(spark).drop("text", "meta"), wanted)) {
        places.add(
            new Place(
                stage,
                row.getAs("id"),
                row.getAs("source"),
                row.getAs("path"),
                row.getAs("reason"),
                row.getAs("detail")));
      }
    }
    List<Tokens> ranges = new ArrayList<>();
    Map<String, String> trainedOn = new LinkedHashMap<>();
    for (OutputChain.Tokens tokens : chain.tokens()) {
      for (Row row : matching(Trace.provenance(spark, tokens), wanted)) {
        Trace.Range range =
            new Trace.Range(
                tokens.directory(), row.getAs("shard"), row.getAs("start"), row.getAs("end"));
        ranges.add(new Tokens(row.getAs("id"), row.getAs("source"), range));
        if (range.shard().startsWith(TRAIN)) {
          trainedOn.put(tokens.manifest().contentHash(), tokens.directory());
        }
      }
    }
    return new Whereabouts(places, ranges, checkpoints(directories, trainedOn, hadoop));
  }

  private static List<Row> matching(Dataset<Row> rows, Dataset<Row> wanted) {
    return rows.join(wanted, rows.col("id").equalTo(wanted.col("id")), "left_semi")
        .orderBy(col("id"), col("source"))
        .collectAsList();
  }

  private static List<Checkpoint> checkpoints(
      List<String> directories, Map<String, String> trainedOn, Configuration hadoop) {
    Storage storage = new Storage(hadoop);
    Set<Path> states = new LinkedHashSet<>();
    for (String directory : directories) {
      for (FileStatus file : storage.filesBelow(storage.qualify(new Path(directory)))) {
        if (file.getPath().toString().endsWith("/" + STATE)) {
          states.add(storage.qualify(file.getPath()));
        }
      }
    }
    List<Checkpoint> checkpoints = new ArrayList<>();
    for (Path state : states) {
      JsonNode said = read(storage, state);
      // With several directories of tokens each has its share of the positions.
      Iterable<JsonNode> parts = said.has("parts") ? said.path("parts") : List.of(said);
      for (JsonNode part : parts) {
        String tokens = trainedOn.get(part.path("data").asText());
        if (tokens != null) {
          checkpoints.add(
              new Checkpoint(
                  state.getParent().getParent().toString(),
                  tokens,
                  (long) (said.path("position").asLong() * part.path("share").asDouble(1)),
                  part.path("sequences").asLong()));
        }
      }
    }
    return checkpoints;
  }

  private static JsonNode read(Storage storage, Path state) {
    try {
      return Json.MAPPER.readTree(storage.read(state));
    } catch (IOException e) {
      throw new IllegalArgumentException(
          state + ": cannot be read (" + e.getMessage() + "); it is no whole checkpoint", e);
    }
  }

  /** Ids that are somewhere. */
  public Set<String> ids() {
    Set<String> ids = new TreeSet<>();
    places.forEach(place -> ids.add(place.id()));
    ranges.forEach(tokens -> ids.add(tokens.id()));
    return ids;
  }

  /** Where one looked, and ids that look like one that is nowhere. */
  public static String unknown(SparkSession spark, List<String> directories, String id) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    return Trace.unknown(spark, OutputChain.find(directories, hadoop), id);
  }
}
