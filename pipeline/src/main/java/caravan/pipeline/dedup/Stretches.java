package caravan.pipeline.dedup;

import caravan.pipeline.dedup.Repeats.Finding;
import caravan.pipeline.dedup.Stretch.Interval;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * Joins what {@link Repeats} tells of a document, window of pieces by window, to {@link Stretch}es,
 * and decides what of them goes. Windows whose first occurrence is in another document go. Where it
 * is in the same document, so do the later ones, as far as they do not overlap what stays of a
 * first one: of a hundred times the same word the first window stays.
 */
final class Stretches extends Step<Entry> {
  /**
   * How windows are joined.
   *
   * @param width pieces of a window
   * @param joins whether windows next to each other make one stretch
   * @param cutFirst whether first occurrences go, too
   * @param cutWithin whether later occurrences in the document of the first go
   */
  record Rule(int width, boolean joins, boolean cutFirst, boolean cutWithin)
      implements java.io.Serializable {}

  private final Rule rule;
  private final Cursor findings;

  /**
   * @param findings (reference, place, {@link Finding}), sorted
   */
  Stretches(Iterator<Entry> findings, Rule rule) {
    this.findings = new Cursor(findings);
    this.rule = rule;
  }

  @Override
  protected boolean advance() {
    if (findings.ended()) {
      return false;
    }
    long ref = findings.head().first();
    Document document = new Document(ref, rule);
    while (findings.at(ref)) {
      Entry entry = findings.take();
      document.add(entry.second(), Finding.of(entry.payload()));
    }
    document.stretches().forEach(stretch -> emit(stretch.entry(ref)));
    return true;
  }

  /** A stretch that grows. */
  private static final class Open {
    final int from;
    int to;
    Finding most;

    Open(int from, int to, Finding most) {
      this.from = from;
      this.to = to;
      this.most = most;
    }

    void add(int newTo, Finding finding) {
      to = newTo;
      boolean more =
          finding.documents() > most.documents()
              || finding.documents() == most.documents()
                  && finding.occurrences() > most.occurrences();
      most = more ? finding : most;
    }
  }

  /** The windows of one document. What is held grows with the stretches, not with the windows. */
  private static final class Document {
    private final long ref;
    private final Rule rule;
    private final List<Open> open = new ArrayList<>();
    private final List<Interval> gone = new ArrayList<>();
    private final List<Interval> later = new ArrayList<>();
    private final List<Interval> first = new ArrayList<>();
    private int last;

    Document(long ref, Rule rule) {
      this.ref = ref;
      this.rule = rule;
    }

    void add(long place, Finding finding) {
      int from = Occurrence.index(place);
      int to = from + rule.width();
      if (rule.joins() && !open.isEmpty() && from == last + 1) {
        open.get(open.size() - 1).add(to, finding);
      } else {
        open.add(new Open(from, to, finding));
      }
      last = from;
      if (rule.cutFirst() || finding.firstRef() != ref) {
        cover(gone, from, to);
      } else if (finding.isFirst(ref, place)) {
        cover(first, from, to);
      } else if (rule.cutWithin()) {
        cover(later, from, to);
      }
    }

    /** Adds an interval to a union of intervals, all of which start before it. */
    private static void cover(List<Interval> union, int from, int to) {
      int end = union.size() - 1;
      if (end >= 0 && union.get(end).to() >= from) {
        union.set(end, new Interval(union.get(end).from(), to));
      } else {
        union.add(new Interval(from, to));
      }
    }

    List<Stretch> stretches() {
      List<Interval> cuts = new ArrayList<>(gone);
      cuts.addAll(without(later, first));
      cuts = Interval.union(cuts);
      List<Stretch> stretches = new ArrayList<>();
      int at = 0;
      for (Open o : open) {
        while (at < cuts.size() && cuts.get(at).to() <= o.from) {
          at++;
        }
        List<Interval> own = new ArrayList<>();
        for (int i = at; i < cuts.size() && cuts.get(i).from() < o.to; i++) {
          own.add(
              new Interval(Math.max(o.from, cuts.get(i).from()), Math.min(o.to, cuts.get(i).to())));
        }
        stretches.add(
            new Stretch(
                o.from,
                o.to,
                o.most.documents(),
                o.most.occurrences(),
                Occurrence.character(o.most.firstPlace()),
                new String(o.most.firstId(), StandardCharsets.UTF_8),
                own));
      }
      return stretches;
    }

    private static List<Interval> without(List<Interval> intervals, List<Interval> others) {
      List<Interval> left = new ArrayList<>();
      int at = 0;
      for (Interval interval : intervals) {
        int from = interval.from();
        while (at < others.size() && others.get(at).to() <= from) {
          at++;
        }
        for (int i = at; i < others.size() && others.get(i).from() < interval.to(); i++) {
          if (others.get(i).from() > from) {
            left.add(new Interval(from, others.get(i).from()));
          }
          from = Math.max(from, others.get(i).to());
        }
        if (from < interval.to()) {
          left.add(new Interval(from, interval.to()));
        }
      }
      return left;
    }
  }
}
