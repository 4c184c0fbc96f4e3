package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.SegmentCounts.Segment;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * All segments one after another as symbols, one slot a character. A symbol's number lies in its
 * first slot; a longer symbol's last slot holds its length, negated, so that the stream can be
 * walked both ways.
 */
final class SymbolStream {
  /** Where nothing can be merged: between segments, and in place of a character without piece. */
  static final int BREAK = Integer.MIN_VALUE;

  private static final int INSIDE = Integer.MIN_VALUE + 1;

  private final int[] slots;

  /** Segments of one count are neighbours: where each count's begin, and the counts. */
  private final int[] weightStarts;

  private final long[] weights;

  /**
   * @param segments by falling count
   * @param symbolOf the symbol of a code point, or {@link #BREAK}
   */
  SymbolStream(List<Segment> segments, IntUnaryOperator symbolOf) {
    long size = 1;
    int blocks = 0;
    long last = -1;
    for (Segment segment : segments) {
      size += segment.text().codePointCount(0, segment.text().length()) + 1L;
      if (segment.count() != last) blocks++;
      last = segment.count();
    }
    if (size > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "train-tokenizer.sample-characters: the sample's distinct segments hold "
              + size
              + " characters, more than fit; lower it");
    }
    slots = new int[(int) size];
    weightStarts = new int[blocks];
    weights = new long[blocks];
    fill(segments, symbolOf);
  }

  private void fill(List<Segment> segments, IntUnaryOperator symbolOf) {
    int position = 0;
    int block = -1;
    slots[position++] = BREAK;
    for (Segment segment : segments) {
      if (block < 0 || weights[block] != segment.count()) {
        weightStarts[++block] = position;
        weights[block] = segment.count();
      }
      String text = segment.text();
      for (int i = 0; i < text.length(); ) {
        int character = text.codePointAt(i);
        slots[position++] = symbolOf.applyAsInt(character);
        i += Character.charCount(character);
      }
      slots[position++] = BREAK;
    }
  }

  int length() {
    return slots.length;
  }

  /** The symbol that starts at a position; negative if none does. */
  int at(int position) {
    return slots[position];
  }

  /** Where the symbol before a position starts; a position of {@link #BREAK} if there is none. */
  int before(int position) {
    int last = slots[position - 1];
    return last >= 0 || last == BREAK ? position - 1 : position + last;
  }

  /** How often the segment around a position occurs. */
  long weight(int position) {
    int found = Arrays.binarySearch(weightStarts, position);
    return weights[found >= 0 ? found : -found - 2];
  }

  /** Writes a symbol over all slots from a position to an end, which must be whole symbols. */
  void put(int position, int end, int symbol) {
    for (int i = position + 1; i < end; i++) slots[i] = INSIDE;
    slots[position] = symbol;
    if (end - position > 1) slots[end - 1] = position - end;
  }
}
