package caravan.pipeline.tokenize;

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

  /** A break, then the slots of the segments. */
  private final int[] slots;

  private final SegmentCounts segments;

  /**
   * @param symbolOf the symbol of a code point, or {@link #BREAK}
   */
  SymbolStream(SegmentCounts segments, IntUnaryOperator symbolOf) {
    this.segments = segments;
    slots = new int[segments.length() + 1];
    slots[0] = BREAK;
    for (int slot = 0; slot < segments.length(); slot++) {
      int character = segments.character(slot);
      slots[slot + 1] = character == SegmentCounts.END ? BREAK : symbolOf.applyAsInt(character);
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
    return segments.count(position - 1);
  }

  /** Writes a symbol over all slots from a position to an end, which must be whole symbols. */
  void put(int position, int end, int symbol) {
    for (int i = position + 1; i < end; i++) slots[i] = INSIDE;
    slots[position] = symbol;
    if (end - position > 1) slots[end - 1] = position - end;
  }
}
