package caravan.pipeline.tokenize;

import java.util.Arrays;

/** Finds which of some texts start at a position, by code point, in open addressing. */
final class CodePointTrie {
  private static final int ROOT = 0;
  private static final long EMPTY = -1;

  private long[] edges = new long[64];
  private int[] children = new int[64];
  private int[] values = new int[64];
  private int nodes = 1;
  private boolean empty = true;

  CodePointTrie() {
    Arrays.fill(edges, EMPTY);
    Arrays.fill(values, -1);
  }

  /**
   * @param value ≥ 0
   */
  void put(String text, int value) {
    int node = ROOT;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      node = childToBe(node, text.codePointAt(i));
    }
    values[node] = value;
    empty = false;
  }

  private int childToBe(int node, int codePoint) {
    int child = child(node, codePoint);
    if (child >= 0) return child;
    if (2 * nodes >= edges.length) grow();
    int slot = slot(edge(node, codePoint));
    edges[slot] = edge(node, codePoint);
    children[slot] = nodes;
    return nodes++;
  }

  private void grow() {
    long[] edgesBefore = edges;
    int[] childrenBefore = children;
    edges = new long[2 * edgesBefore.length];
    children = new int[edges.length];
    Arrays.fill(edges, EMPTY);
    int before = values.length;
    values = Arrays.copyOf(values, edges.length);
    Arrays.fill(values, before, values.length, -1);
    for (int i = 0; i < edgesBefore.length; i++) {
      if (edgesBefore[i] == EMPTY) continue;
      int slot = slot(edgesBefore[i]);
      edges[slot] = edgesBefore[i];
      children[slot] = childrenBefore[i];
    }
  }

  boolean isEmpty() {
    return empty;
  }

  /**
   * The longest text that starts at a position: its value in the upper and its end in the lower 32
   * bits, or -1 if there is none.
   */
  long longest(char[] text, int start, int end) {
    long found = -1;
    for (long at = first(text, start, end); at >= 0; at = next(at, text, end)) {
      if (value(at) >= 0) found = (long) value(at) << 32 | end(at);
    }
    return found;
  }

  /** A walk over all texts that start at a position: after one character, or -1 at its end. */
  long first(char[] text, int start, int end) {
    return step(ROOT, start, text, end);
  }

  /** A walk after one more character. */
  long next(long walk, char[] text, int end) {
    return step((int) (walk >>> 32), end(walk), text, end);
  }

  /** The value of the text that ends where a walk stands, or -1 if none does. */
  int value(long walk) {
    return values[(int) (walk >>> 32)];
  }

  /** Where a walk stands. */
  static int end(long walk) {
    return (int) walk;
  }

  private long step(int node, int at, char[] text, int end) {
    if (at >= end) return -1;
    int codePoint = Character.codePointAt(text, at, end);
    int child = child(node, codePoint);
    return child < 0 ? -1 : (long) child << 32 | at + Character.charCount(codePoint);
  }

  private int child(int node, int codePoint) {
    int slot = slot(edge(node, codePoint));
    return edges[slot] == EMPTY ? -1 : children[slot];
  }

  private int slot(long edge) {
    long mixed = edge * 0x9E3779B97F4A7C15L;
    int slot = (int) (mixed >>> 40) & edges.length - 1;
    while (edges[slot] != EMPTY && edges[slot] != edge) slot = slot + 1 & edges.length - 1;
    return slot;
  }

  private static long edge(int node, int codePoint) {
    return (long) node << 32 | codePoint;
  }
}
