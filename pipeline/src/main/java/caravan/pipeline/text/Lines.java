package caravan.pipeline.text;

import java.util.Arrays;

/** The pieces of a text between line breaks, without blank ones and without space at their ends. */
public final class Lines {
  private final String text;
  private int[] starts = new int[16];
  private int[] ends = new int[16];
  private int count;
  private long repeated = -1;

  private Lines(String text) {
    this.text = text;
  }

  static Lines of(String text) {
    Lines lines = new Lines(text);
    for (int at = 0; at < text.length(); ) {
      int lineBreak = text.indexOf('\n', at);
      int next = lineBreak < 0 ? text.length() : lineBreak;
      lines.addStripped(at, next);
      at = next + 1;
    }
    return lines;
  }

  private void addStripped(int start, int end) {
    int first = start;
    int last = end;
    while (first < last && Scripts.isSpace(text.charAt(first))) {
      first++;
    }
    while (last > first && Scripts.isSpace(text.charAt(last - 1))) {
      last--;
    }
    if (first < last) {
      add(first, last);
    }
  }

  private void add(int start, int end) {
    if (count == starts.length) {
      starts = Arrays.copyOf(starts, count * 2);
      ends = Arrays.copyOf(ends, count * 2);
    }
    starts[count] = start;
    ends[count++] = end;
  }

  /** Lines without a blank one between them, as one piece. */
  Lines paragraphs() {
    Lines paragraphs = new Lines(text);
    for (int first = 0; first < count; ) {
      int last = first;
      while (last + 1 < count && breaksAfter(last) == 1) {
        last++;
      }
      paragraphs.add(starts[first], ends[last]);
      first = last + 1;
    }
    return paragraphs;
  }

  public String text() {
    return text;
  }

  public int count() {
    return count;
  }

  /** Index in chars of the line's first char. */
  public int start(int line) {
    return starts[line];
  }

  /** Index in chars after the line's last char. */
  public int end(int line) {
    return ends[line];
  }

  public String line(int line) {
    return text.substring(starts[line], ends[line]);
  }

  /** Length of a line in code points. */
  public int characters(int line) {
    return text.codePointCount(starts[line], ends[line]);
  }

  char firstChar(int line) {
    return text.charAt(starts[line]);
  }

  char lastChar(int line) {
    return text.charAt(ends[line] - 1);
  }

  /** Whether the line ends with an ellipsis. */
  boolean breaksOff(int line) {
    return lastChar(line) == '…' || text.startsWith("...", Math.max(starts[line], ends[line] - 3));
  }

  /** Line breaks between this line and the next, at most 2; the last line has none. */
  int breaksAfter(int line) {
    int end = line + 1 < count ? starts[line + 1] : ends[line];
    int breaks = 0;
    for (int i = ends[line]; i < end && breaks < 2; i++) {
      breaks += text.charAt(i) == '\n' ? 1 : 0;
    }
    return breaks;
  }

  /** How many lines came before in the text. */
  int repeatedLines() {
    return (int) (repeated() >>> 32);
  }

  /** Code points of the lines that came before in the text. */
  int repeatedCharacters() {
    return (int) repeated();
  }

  private long repeated() {
    if (repeated < 0) {
      HashCounts seen = new HashCounts(count);
      repeated = 0;
      for (int i = 0; i < count; i++) {
        if (seen.add(hash(i)) > 1) {
          repeated += (1L << 32) + characters(i);
        }
      }
    }
    return repeated;
  }

  private long hash(int line) {
    long h = ends[line] - starts[line];
    for (int i = starts[line]; i < ends[line]; i++) {
      h = (h ^ text.charAt(i)) * 0x9E3779B97F4A7C15L;
      h ^= h >>> 32;
    }
    return Words.mix(h);
  }
}
