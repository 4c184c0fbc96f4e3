package caravan.pipeline.tokenize;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Distinct segments of a corpus and how often each occurs. */
public final class SegmentCounts {
  /** A segment and its count. */
  record Segment(String text, long count) {}

  private final List<Segment> segments = new ArrayList<>();
  private boolean sorted;

  /**
   * @param text a segment that was not added before
   * @param count how often it occurs, at least 1
   */
  void add(String text, long count) {
    segments.add(new Segment(text, count));
    sorted = false;
  }

  /** Counts the segments of documents at hand. */
  static SegmentCounts of(Iterable<String> documents, SegmentSplitter splitter) {
    Map<String, Long> counts = new HashMap<>();
    for (String document : documents) {
      splitter.split(document, segment -> counts.merge(segment, 1L, Long::sum));
    }
    SegmentCounts result = new SegmentCounts();
    counts.forEach(result::add);
    return result;
  }

  /** Most frequent first, then by text: the same list for the same corpus. */
  List<Segment> sorted() {
    if (!sorted) {
      segments.sort(
          Comparator.comparingLong(Segment::count).reversed().thenComparing(Segment::text));
      sorted = true;
    }
    return segments;
  }

  /** How often each character occurs. */
  Map<Integer, Long> characters() {
    Map<Integer, Long> characters = new TreeMap<>();
    for (Segment segment : segments) {
      segment.text.codePoints().forEach(c -> characters.merge(c, segment.count, Long::sum));
    }
    return characters;
  }
}
