package caravan.pipeline.tokenize;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ObjLongConsumer;

/**
 * Distinct segments of a corpus and how often each occurs, most frequent first. They lie one after
 * another in one array of code points, so that a character costs four bytes.
 */
final class SegmentCounts {
  /** After each segment. */
  static final int END = -1;

  private int[] characters = new int[1 << 12];
  private int length;
  private int segments;

  /** Segments of one count are neighbours: where each count's begin, and the counts. */
  private int[] starts = new int[16];

  private long[] counts = new long[16];
  private int blocks;

  /**
   * @param text a segment that was not added before
   * @param count how often it occurs, at least 1 and no more than the segment's before
   * @throws IllegalArgumentException if all segments together are longer than an array
   */
  void add(String text, long count) {
    if (blocks > 0 && count > counts[blocks - 1]) {
      throw new IllegalStateException("a segment of count " + count + " after one with fewer");
    }
    if (length + (long) text.length() + 1 > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "train-tokenizer.max-segment-characters: the distinct segments hold more than "
              + length
              + " characters, which is all that fits; lower it");
    }
    if (blocks == 0 || count < counts[blocks - 1]) startBlock(count);
    reserve(text.length() + 1);
    for (int i = 0; i < text.length(); ) {
      int character = text.codePointAt(i);
      characters[length++] = character;
      i += Character.charCount(character);
    }
    characters[length++] = END;
    segments++;
  }

  private void startBlock(long count) {
    if (blocks == counts.length) {
      starts = Arrays.copyOf(starts, 2 * blocks);
      counts = Arrays.copyOf(counts, 2 * blocks);
    }
    starts[blocks] = length;
    counts[blocks++] = count;
  }

  private void reserve(int more) {
    long needed = (long) length + more;
    if (needed <= characters.length) return;
    long capacity = Math.max(needed, characters.length + (characters.length >> 1));
    characters = Arrays.copyOf(characters, (int) Math.min(capacity, Integer.MAX_VALUE - 8));
  }

  /** Counts the segments of documents at hand. */
  static SegmentCounts of(Iterable<String> documents, SegmentSplitter splitter) {
    Map<String, Long> counts = new HashMap<>();
    for (String document : documents) {
      splitter.split(document, segment -> counts.merge(segment, 1L, Long::sum));
    }
    return of(counts);
  }

  /** The same list for the same counts. */
  static SegmentCounts of(Map<String, Long> counts) {
    List<String> order =
        counts.keySet().stream()
            .sorted(
                Comparator.<String>comparingLong(counts::get)
                    .reversed()
                    .thenComparing(Comparator.naturalOrder()))
            .toList();
    SegmentCounts result = new SegmentCounts();
    for (String segment : order) result.add(segment, counts.get(segment));
    return result;
  }

  /** Distinct segments. */
  int size() {
    return segments;
  }

  /** Slots of the array: a character each, and one after each segment. */
  int length() {
    return length;
  }

  /** The code point at a slot, or {@link #END}. */
  int character(int slot) {
    return characters[slot];
  }

  /** How often the segment around a slot occurs. */
  long count(int slot) {
    int found = Arrays.binarySearch(starts, 0, blocks, slot);
    return counts[found >= 0 ? found : -found - 2];
  }

  /** Hands on each segment with its count. */
  void forEach(ObjLongConsumer<String> sink) {
    for (int start = 0; start < length; ) {
      int end = start;
      while (characters[end] != END) end++;
      sink.accept(new String(characters, start, end - start), count(start));
      start = end + 1;
    }
  }

  /** How often each character occurs. */
  Map<Integer, Long> characters() {
    Map<Integer, Long> sums = new TreeMap<>();
    for (int block = 0; block < blocks; block++) {
      int end = block + 1 < blocks ? starts[block + 1] : length;
      long count = counts[block];
      for (int slot = starts[block]; slot < end; slot++) {
        if (characters[slot] != END) sums.merge(characters[slot], count, Long::sum);
      }
    }
    return sums;
  }
}
