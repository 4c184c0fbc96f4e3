package caravan.pipeline.decontaminate;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentStage;
import caravan.pipeline.Documents;
import caravan.pipeline.Json;
import caravan.pipeline.Tagged;
import caravan.pipeline.decontaminate.DecontaminateConfig.Action;
import caravan.pipeline.decontaminate.ItemIndex.Match;
import caravan.pipeline.text.Words;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.broadcast.Broadcast;

/**
 * Keeps evaluation items out of training text: a document that holds an n-gram of an item is
 * dropped, loses the passage, or is only reported. What matched where is in its {@code meta} under
 * {@link #META}, a JSON array of {@link Finding}.
 */
public final class DecontaminateStage implements DocumentStage {
  public static final String CONTAMINATED = "contaminated";

  /** Key of {@code meta}. */
  public static final String META = "contamination";

  /** Findings that a document's {@code meta} lists at most. */
  private static final int MAX_FINDINGS = 100;

  private static final int SHOWN_CODE_POINTS = 100;

  /**
   * What a document shares with an item.
   *
   * @param number of the item, from 0, in the order of the items
   * @param item its id
   * @param source its source
   * @param ngrams n-grams of the longest shared passage
   * @param character code points of the document before that passage
   * @param text the passage, its first 100 code points
   */
  public record Finding(
      int number, String item, String source, int ngrams, int character, String text) {}

  private final Action action;
  private final Broadcast<ItemIndex> index;

  public DecontaminateStage(Action action, Broadcast<ItemIndex> index) {
    this.action = action;
    this.index = index;
  }

  @Override
  public String name() {
    return "decontaminate";
  }

  @Override
  public Tagged tag(Document document) {
    String text = document.text();
    int length = text.codePointCount(0, text.length());
    List<Match> matches = index.value().matches(text);
    if (matches.isEmpty()) {
      return new Tagged(document, Documents.KEPT, "", length, Map.of());
    }
    List<Finding> findings = findings(text, matches);
    Document told = document.withMeta(META, Json.compact(findings));
    String cut = action == Action.CUT ? cut(text, matches) : text;
    if (action == Action.DROP || Words.of(cut).count() == 0) {
      return new Tagged(told, CONTAMINATED, detail(findings), length, Map.of());
    }
    long removed = length - cut.codePointCount(0, cut.length());
    Map<String, Long> edits = removed == 0 ? Map.of() : Map.of(CONTAMINATED, removed);
    return new Tagged(told.withText(cut), Documents.KEPT, "", length, edits);
  }

  /** The longest passage of each item, in text order of the items' first ones. */
  private List<Finding> findings(String text, List<Match> matches) {
    Map<Integer, Match> longest = new LinkedHashMap<>();
    for (Match match : matches) {
      longest.merge(match.item(), match, (a, b) -> b.ngrams() > a.ngrams() ? b : a);
    }
    List<Finding> findings = new ArrayList<>();
    for (Match match : longest.values()) {
      if (findings.size() < MAX_FINDINGS) {
        ItemIndex.Item item = index.value().items().get(match.item());
        String passage = text.substring(match.start(), match.end());
        int shown = Math.min(SHOWN_CODE_POINTS, passage.codePointCount(0, passage.length()));
        findings.add(
            new Finding(
                match.item(),
                item.id(),
                item.source(),
                match.ngrams(),
                text.codePointCount(0, match.start()),
                passage.substring(0, passage.offsetByCodePoints(0, shown))));
      }
    }
    return findings;
  }

  private String detail(List<Finding> findings) {
    Finding first = findings.get(0);
    String more = findings.size() == 1 ? "" : "; and %d more items".formatted(findings.size() - 1);
    return "shares %d of %d n-grams with item %s of %s at character %d: %s%s"
        .formatted(
            first.ngrams(),
            index.value().ngrams(first.number()),
            first.item(),
            first.source(),
            first.character(),
            first.text(),
            more);
  }

  /** Without the passages; again, where what they stood between makes a new one. */
  private String cut(String text, List<Match> matches) {
    String rest = text;
    for (List<Match> found = matches; !found.isEmpty(); found = index.value().matches(rest)) {
      StringBuilder kept = new StringBuilder();
      int at = 0;
      for (Match match : found) {
        if (match.start() > at) {
          kept.append(rest, at, match.start());
        }
        at = Math.max(at, match.end());
      }
      rest = kept.append(rest, at, rest.length()).toString();
    }
    return rest;
  }
}
