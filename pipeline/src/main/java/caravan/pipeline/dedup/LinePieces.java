package caravan.pipeline.dedup;

import java.util.Arrays;

/** The lines of a text, or its paragraphs; those that are blank are none. */
final class LinePieces implements Pieces {
  private final String text;
  private int[] starts = new int[16];
  private int[] ends = new int[16];
  private int count;

  LinePieces(String text, LineConfig.Unit unit) {
    this.text = text;
    boolean open = false;
    for (int from = 0; from < text.length(); ) {
      int feed = text.indexOf('\n', from);
      int to = feed < 0 ? text.length() : feed;
      boolean blank = text.substring(from, to).isBlank();
      if (!blank && open && unit == LineConfig.Unit.PARAGRAPH) {
        ends[count - 1] = to;
      } else if (!blank) {
        add(from, to);
      }
      open = !blank;
      from = to + 1;
    }
  }

  private void add(int start, int end) {
    if (count == starts.length) {
      starts = Arrays.copyOf(starts, 2 * count);
      ends = Arrays.copyOf(ends, 2 * count);
    }
    starts[count] = start;
    ends[count++] = end;
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public int start(int piece) {
    return starts[piece];
  }

  @Override
  public int end(int piece) {
    return ends[piece];
  }

  /** The last line takes the line feed before it along. */
  @Override
  public int cutStart(int from, int to) {
    return to == count && from > 0 ? ends[from - 1] : starts[from];
  }

  @Override
  public int cutEnd(int from, int to) {
    return to == count ? text.length() : starts[to];
  }
}
