package caravan.pipeline.tokenize;

import java.util.HashMap;
import java.util.Map;

/** Finds the longest of some texts that starts at a position. */
final class CodePointTrie {
  private static final int ROOT = 0;

  private final Map<Long, Integer> children = new HashMap<>();
  private final Map<Integer, Integer> values = new HashMap<>();
  private int nodes = 1;

  /**
   * @param value ≥ 0
   */
  void put(String text, int value) {
    int node = ROOT;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      node = children.computeIfAbsent(edge(node, text.codePointAt(i)), edge -> nodes++);
    }
    values.put(node, value);
  }

  boolean isEmpty() {
    return values.isEmpty();
  }

  /**
   * The longest text that starts at a position: its value in the upper and its end in the lower 32
   * bits, or -1 if there is none.
   */
  long longest(char[] text, int start, int end) {
    long found = -1;
    int node = ROOT;
    for (int i = start; i < end; ) {
      int codePoint = Character.codePointAt(text, i, end);
      i += Character.charCount(codePoint);
      Integer child = children.get(edge(node, codePoint));
      if (child == null) return found;
      node = child;
      Integer value = values.get(node);
      if (value != null) found = (long) value << 32 | i;
    }
    return found;
  }

  private static long edge(int node, int codePoint) {
    return (long) node << 32 | codePoint;
  }
}
