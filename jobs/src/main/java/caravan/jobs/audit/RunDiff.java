package caravan.jobs.audit;

import caravan.jobs.audit.TextChanges.Piece;
import caravan.pipeline.Json;
import caravan.pipeline.StageReport;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;

/**
 * What two runs of a stage decided differently: {@code diff.json}.
 *
 * @param stage both runs' stage
 * @param first directory of the first run's output
 * @param second directory of the second run's output
 * @param firstKept documents and characters that the first run kept
 * @param secondKept documents and characters that the second run kept
 * @param sameInputs whether both read the same files with the same content
 * @param configuration keys whose values differ, sorted
 * @param same documents that both decided alike, with the same text
 * @param transitions what changed, the most frequent first
 */
public record RunDiff(
    String stage,
    String first,
    String second,
    StageReport.Tally firstKept,
    StageReport.Tally secondKept,
    boolean sameInputs,
    List<Setting> configuration,
    long same,
    List<Transition> transitions) {

  private static final String NONE = "(none)";

  /**
   * Compares two outputs.
   *
   * @param samples documents to show of each transition
   * @param seed chooses them
   * @throws IllegalArgumentException when they are outputs of different stages
   */
  public static RunDiff of(
      SparkSession spark, StageDocuments first, StageDocuments second, int samples, long seed) {
    if (!first.stage().equals(second.stage())) {
      throw new IllegalArgumentException(
          "%s is an output of %s, %s one of %s: wanted two runs of the same stage"
              .formatted(first.directory(), first.stage(), second.directory(), second.stage()));
    }
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    try (RunComparison comparison = new RunComparison(spark, first, second)) {
      return new RunDiff(
          first.stage(),
          first.directory(),
          second.directory(),
          first.report().kept(),
          second.report().kept(),
          first.manifest().inputs().equals(second.manifest().inputs()),
          settings(first.config(hadoop), second.config(hadoop)),
          comparison.same(),
          comparison.transitions(samples, seed));
    }
  }

  /** The keys whose values differ. */
  static List<Setting> settings(Map<String, Object> first, Map<String, Object> second) {
    Map<String, String> a = flat(first);
    Map<String, String> b = flat(second);
    return Stream.concat(a.keySet().stream(), b.keySet().stream())
        .distinct()
        .sorted()
        .map(key -> new Setting(key, a.getOrDefault(key, NONE), b.getOrDefault(key, NONE)))
        .filter(setting -> !setting.first().equals(setting.second()))
        .toList();
  }

  /** Values by path, such as {@code clean.zh.length.minCharacters}. */
  private static Map<String, String> flat(Map<String, Object> config) {
    Map<String, String> flat = new TreeMap<>();
    config.forEach(
        (key, value) -> {
          if (value instanceof Map<?, ?> section && !section.isEmpty()) {
            @SuppressWarnings("unchecked")
            Map<String, Object> inner = (Map<String, Object>) section;
            flat(inner).forEach((rest, leaf) -> flat.put(key + "." + rest, leaf));
          } else {
            flat.put(key, Json.compact(value));
          }
        });
    return flat;
  }

  /** How a document's fate differs. */
  public enum Change {
    KEPT_TO_DROPPED("kept → dropped"),
    DROPPED_TO_KEPT("dropped → kept"),
    REASON("dropped for another reason"),
    LANGUAGE("another language"),
    TEXT("another text"),
    ONLY_IN_FIRST("only in the first"),
    ONLY_IN_SECOND("only in the second");

    private final String words;

    Change(String words) {
      this.words = words;
    }

    public String words() {
      return words;
    }
  }

  /**
   * A key of the configuration that differs.
   *
   * @param first the first run's value; {@code (none)} where it has none
   */
  public record Setting(String key, String first, String second) {}

  /**
   * Documents with the same change.
   *
   * @param from verdict of the first run; empty where it has no such document
   * @param to verdict of the second run; empty where it has no such document
   * @param languages documents per language
   * @param samples chosen by seed
   */
  public record Transition(
      Change change,
      String from,
      String to,
      long documents,
      Map<String, Long> languages,
      List<Sample> samples) {
    /** Such as {@code kept → dropped as too_short}. */
    public String words() {
      return switch (change) {
        case KEPT_TO_DROPPED -> "kept → dropped as " + to;
        case DROPPED_TO_KEPT -> "dropped as " + from + " → kept";
        case REASON -> "dropped as " + from + " → dropped as " + to;
        case LANGUAGE, TEXT -> change.words() + ", " + from + " in both";
        case ONLY_IN_FIRST -> change.words() + ", " + from;
        case ONLY_IN_SECOND -> change.words() + ", " + to;
      };
    }
  }

  /**
   * One document of a transition.
   *
   * @param from what the first run measured; empty when it kept the document
   * @param to what the second run measured
   * @param languages as identified, first and second
   * @param text its beginning
   * @param changes of the text from the first run to the second, the first few
   */
  public record Sample(
      String id,
      String source,
      String path,
      String from,
      String to,
      List<String> languages,
      String text,
      List<List<Piece>> changes) {}
}
