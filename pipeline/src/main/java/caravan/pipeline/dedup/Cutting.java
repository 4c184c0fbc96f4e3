package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Json;
import caravan.pipeline.Tagged;
import caravan.pipeline.dedup.Stretch.Interval;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Tells documents of their repeated stretches, and takes these away where that is wanted. */
final class Cutting extends Step<Tagged> {
  /**
   * What becomes of documents.
   *
   * @param reason of edits and of dropped documents
   * @param what is repeated, in words
   * @param meta key that tells of it
   * @param remove whether it is taken away
   * @param maxRemovedFraction of a document that stays
   * @param pieces what stretches are made of
   */
  record Rule(
      String reason,
      String what,
      String meta,
      boolean remove,
      double maxRemovedFraction,
      Pieces.Reader pieces)
      implements java.io.Serializable {}

  private final int partition;
  private final Iterator<Tagged> tagged;
  private final Cursor stretches;
  private final Rule rule;
  private long ordinal;

  /**
   * @param tagged what steps before say of the partition's documents
   * @param stretches {@link Stretch}es, sorted
   */
  Cutting(int partition, Iterator<Tagged> tagged, Iterator<Entry> stretches, Rule rule) {
    this.partition = partition;
    this.tagged = tagged;
    this.stretches = new Cursor(stretches);
    this.rule = rule;
  }

  @Override
  protected boolean advance() {
    if (!tagged.hasNext()) {
      if (!stretches.ended()) {
        throw new IllegalStateException(
            "dedup: the input has fewer documents than when it was searched for repeated text; it"
                + " changes while it is read: run again");
      }
      return false;
    }
    Tagged next = tagged.next();
    long ref = Route.ref(partition, ordinal++);
    List<Stretch> own = new ArrayList<>();
    while (stretches.at(ref)) {
      own.add(Stretch.of(stretches.take()));
    }
    emit(own.isEmpty() ? untold(next) : told(next, own));
    return true;
  }

  /** Without what an earlier run over the document told. */
  private Tagged untold(Tagged tagged) {
    Document d = tagged.document();
    if (!d.meta().containsKey(rule.meta())) {
      return tagged;
    }
    Map<String, String> meta = new HashMap<>(d.meta());
    meta.remove(rule.meta());
    return new Tagged(
        new Document(d.id(), d.source(), d.path(), d.language(), d.text(), meta),
        tagged.reason(),
        tagged.detail(),
        tagged.inputCharacters(),
        tagged.edits());
  }

  private Tagged told(Tagged before, List<Stretch> own) {
    Document d = before.document();
    Pieces pieces = rule.pieces().of(d.text());
    List<Interval> cuts = rule.remove() ? cuts(pieces, own) : List.of();
    List<Repeat> repeats = repeats(d.text(), pieces, own);
    Document told = d.withMeta(rule.meta(), Json.compact(repeats));
    String rest = without(d.text(), cuts);
    long length = d.text().codePointCount(0, d.text().length());
    long removed = length - rest.codePointCount(0, rest.length());
    if (removed > rule.maxRemovedFraction() * length || removed > 0 && rest.isBlank()) {
      return new Tagged(
          told,
          rule.reason(),
          detail(removed, length, own),
          before.inputCharacters(),
          before.edits());
    }
    Map<String, Long> edits = new HashMap<>(before.edits());
    if (removed > 0) {
      edits.put(rule.reason(), removed);
    }
    return new Tagged(told.withText(rest), Documents.KEPT, "", before.inputCharacters(), edits);
  }

  private String detail(long removed, long length, List<Stretch> own) {
    Stretch longest =
        own.stream()
            .filter(stretch -> !stretch.cuts().isEmpty())
            .max(Comparator.comparingInt(s -> s.to() - s.from()))
            .orElseThrow();
    return String.format(
        Locale.ROOT,
        "would lose %d of %d characters, at most %.0f %%, to %s of other documents; the longest is in %d, first in %s",
        removed,
        length,
        100 * rule.maxRemovedFraction(),
        rule.what(),
        longest.documents(),
        longest.firstId());
  }

  /** What is cut, in chars. */
  private static List<Interval> cuts(Pieces pieces, List<Stretch> own) {
    List<Interval> cuts = new ArrayList<>();
    own.forEach(stretch -> cuts.addAll(stretch.cuts()));
    return Interval.union(cuts).stream()
        .map(
            cut ->
                new Interval(
                    pieces.cutStart(cut.from(), cut.to()), pieces.cutEnd(cut.from(), cut.to())))
        .toList();
  }

  private static String without(String text, List<Interval> cuts) {
    StringBuilder rest = new StringBuilder(text.length());
    int at = 0;
    for (Interval cut : cuts) {
      if (cut.from() > at) {
        rest.append(text, at, cut.from());
      }
      at = Math.max(at, cut.to());
    }
    return rest.append(text, at, text.length()).toString();
  }

  private List<Repeat> repeats(String text, Pieces pieces, List<Stretch> own) {
    CodePoints codePoints = new CodePoints(text);
    List<Repeat> repeats = new ArrayList<>();
    for (Stretch s : own) {
      int start = pieces.start(s.from());
      int end = pieces.end(s.to() - 1);
      int removed = 0;
      for (Interval cut : rule.remove() ? s.cuts() : List.<Interval>of()) {
        removed += text.codePointCount(pieces.start(cut.from()), pieces.end(cut.to() - 1));
      }
      int first = codePoints.before(start);
      int shown = Math.min(text.codePointCount(start, end), Repeat.SHOWN_CODE_POINTS);
      repeats.add(
          new Repeat(
              first,
              first + text.codePointCount(start, end),
              s.documents(),
              s.occurrences(),
              s.firstId(),
              s.firstCharacter(),
              removed,
              text.substring(start, text.offsetByCodePoints(start, shown))));
    }
    return repeats;
  }
}
