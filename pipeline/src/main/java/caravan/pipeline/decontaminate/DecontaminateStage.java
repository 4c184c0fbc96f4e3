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
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.broadcast.Broadcast;

/**
 * Keeps evaluation items out of training text: a document that holds an n-gram of an item is
 * dropped, loses the passage, or is only reported. What matched where is in its {@code meta} under
 * {@link #META}, a JSON array of {@link Finding}; what an earlier run said there goes.
 */
public final class DecontaminateStage implements DocumentStage {
  public static final String CONTAMINATED = "contaminated";

  /** Key of {@code meta}. */
  public static final String META = "contamination";

  /** Findings whose passage a document's {@code meta} shows; all are listed. */
  private static final int SHOWN_FINDINGS = 100;

  private static final int SHOWN_CODE_POINTS = 100;

  /**
   * What a document shares with an item.
   *
   * @param number of the item, from 0, in the order of the items
   * @param item its id
   * @param file that the item is in
   * @param share of the item's units that lie in passages of the document, above 0 to 1
   * @param ngrams n-grams of the longest shared passage
   * @param character code points of the document before that passage
   * @param text the passage, its first 100 code points; empty after the 100th finding
   */
  public record Finding(
      int number, String item, String file, double share, int ngrams, int character, String text)
      implements java.io.Serializable {}

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
      // An earlier run with other items may have said something of the document.
      return new Tagged(document.withoutMeta(META), Documents.KEPT, "", length, Map.of());
    }
    List<Finding> findings = findings(text, matches, index.value());
    Document told = document.withMeta(META, Json.compact(findings));
    String cut = action == Action.CUT ? cut(text, matches) : text;
    if (action == Action.DROP || Words.of(cut).count() == 0) {
      return new Tagged(told, CONTAMINATED, detail(findings), length, Map.of());
    }
    long removed = length - cut.codePointCount(0, cut.length());
    Map<String, Long> edits = removed == 0 ? Map.of() : Map.of(CONTAMINATED, removed);
    return new Tagged(told.withText(cut), Documents.KEPT, "", length, edits);
  }

  /** What a text shares with items: by the items' first passages, in text order. */
  static List<Finding> findings(String text, List<Match> matches, ItemIndex index) {
    Map<Integer, Match> longest = new LinkedHashMap<>();
    Map<Integer, BitSet> covered = new HashMap<>();
    for (Match match : matches) {
      longest.merge(match.item(), match, (a, b) -> b.ngrams() > a.ngrams() ? b : a);
      covered.computeIfAbsent(match.item(), item -> new BitSet()).or(match.units());
    }
    List<Finding> findings = new ArrayList<>();
    for (Match match : longest.values()) {
      ItemTable items = index.items();
      int units = covered.get(match.item()).cardinality();
      findings.add(
          new Finding(
              match.item(),
              items.id(match.item()),
              items.file(match.item()),
              Math.floor(1000.0 * units / items.units(match.item())) / 1000,
              match.ngrams(),
              text.codePointCount(0, match.start()),
              findings.size() < SHOWN_FINDINGS
                  ? shown(text.substring(match.start(), match.end()))
                  : ""));
    }
    return findings;
  }

  private static String shown(String passage) {
    int length = Math.min(SHOWN_CODE_POINTS, passage.codePointCount(0, passage.length()));
    return passage.substring(0, passage.offsetByCodePoints(0, length));
  }

  private String detail(List<Finding> findings) {
    Finding first = findings.get(0);
    String more = findings.size() == 1 ? "" : "; and %d more items".formatted(findings.size() - 1);
    return "shares %d of %d n-grams with item %s of %s at character %d: %s%s"
        .formatted(
            first.ngrams(),
            index.value().ngrams(first.number()),
            first.item(),
            first.file(),
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
