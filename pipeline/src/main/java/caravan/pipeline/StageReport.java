package caravan.pipeline;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What a stage did, counted from the files it wrote: {@code report.json}. Characters are Unicode
 * code points. For every group, and so in total, input characters = characters of kept and dropped
 * documents as written + characters edited away.
 *
 * @param stage the stage's name
 * @param seconds wall time
 * @param groups documents per verdict, source and language, sorted by these
 * @param editedAway characters that edits took away, per edit reason; negative where an edit made
 *     texts longer
 * @param counts what the stage itself counted ({@link Stage#counts}), such as {@code clusters}
 */
@JsonPropertyOrder({
  "stage",
  "seconds",
  "input",
  "kept",
  "dropped",
  "editedAway",
  "counts",
  "droppedByReason",
  "byLanguage",
  "bySource",
  "groups"
})
public record StageReport(
    String stage,
    double seconds,
    List<Group> groups,
    Map<String, Long> editedAway,
    Map<String, Long> counts) {

  /**
   * Documents with the same verdict, source and language.
   *
   * @param reason {@link Documents#KEPT} or the drop reason
   * @param inputCharacters before the stage's edits
   * @param characters as written
   */
  public record Group(
      String reason,
      String source,
      String language,
      long documents,
      long inputCharacters,
      long characters)
      implements Serializable {
    Group plus(Group more) {
      return new Group(
          reason,
          source,
          language,
          documents + more.documents,
          inputCharacters + more.inputCharacters,
          characters + more.characters);
    }

    boolean isKept() {
      return reason.equals(Documents.KEPT);
    }
  }

  /** A number of documents and of characters. */
  public record Tally(long documents, long characters) {
    static final Tally NONE = new Tally(0, 0);

    Tally plus(long moreDocuments, long moreCharacters) {
      return new Tally(documents + moreDocuments, characters + moreCharacters);
    }
  }

  /** What happened to the documents of one language or source. */
  public record Flow(Tally input, Tally kept, Tally dropped) {
    private static final Flow NONE = new Flow(Tally.NONE, Tally.NONE, Tally.NONE);

    private Flow plus(Group g) {
      return new Flow(
          input.plus(g.documents(), g.inputCharacters()),
          g.isKept() ? kept.plus(g.documents(), g.characters()) : kept,
          g.isKept() ? dropped : dropped.plus(g.documents(), g.characters()));
    }
  }

  public StageReport {
    groups = List.copyOf(groups);
    editedAway = new TreeMap<>(editedAway);
    counts = new TreeMap<>(counts);
  }

  /** The totals in report.json are for its readers; they follow from the groups. */
  @JsonCreator
  static StageReport fromJson(
      @JsonProperty("stage") String stage,
      @JsonProperty("seconds") double seconds,
      @JsonProperty("groups") List<Group> groups,
      @JsonProperty("editedAway") Map<String, Long> editedAway,
      @JsonProperty("counts") Map<String, Long> counts) {
    return new StageReport(stage, seconds, groups, editedAway, counts);
  }

  @JsonProperty(access = JsonProperty.Access.READ_ONLY)
  public Tally input() {
    return total().input();
  }

  @JsonProperty(access = JsonProperty.Access.READ_ONLY)
  public Tally kept() {
    return total().kept();
  }

  @JsonProperty(access = JsonProperty.Access.READ_ONLY)
  public Tally dropped() {
    return total().dropped();
  }

  /** Dropped documents per reason. */
  @JsonProperty(access = JsonProperty.Access.READ_ONLY)
  public Map<String, Tally> droppedByReason() {
    Map<String, Tally> byReason = new TreeMap<>();
    for (Group g : groups) {
      if (!g.isKept()) {
        byReason.merge(
            g.reason(),
            new Tally(g.documents(), g.characters()),
            (a, b) -> a.plus(b.documents(), b.characters()));
      }
    }
    return byReason;
  }

  @JsonProperty(access = JsonProperty.Access.READ_ONLY)
  public Map<String, Flow> byLanguage() {
    return flows(Group::language);
  }

  @JsonProperty(access = JsonProperty.Access.READ_ONLY)
  public Map<String, Flow> bySource() {
    return flows(Group::source);
  }

  private Flow total() {
    return flows(g -> "").getOrDefault("", Flow.NONE);
  }

  private Map<String, Flow> flows(Function<Group, String> key) {
    Map<String, Flow> flows = new TreeMap<>();
    for (Group g : groups) {
      String k = key.apply(g);
      flows.put(k, flows.getOrDefault(k, Flow.NONE).plus(g));
    }
    return flows;
  }
}
