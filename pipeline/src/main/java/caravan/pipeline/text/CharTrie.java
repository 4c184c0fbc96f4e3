package caravan.pipeline.text;

import java.util.Arrays;

/** Replacements of strings, found by longest match; edges lie in one open-addressing table. */
final class CharTrie {
  private static final int ROOT = 0;

  /** Node of each first char; 0 where no string starts. */
  private final int[] first = new int[0x10000];

  /** {@code (node << 16 | char) + 1} per edge, 0 where free, and the nodes they lead to. */
  private long[] edges = new long[1 << 14];

  private int[] targets = new int[1 << 14];
  private int edgeCount;

  private String[] replacements = new String[1 << 12];
  private boolean[] certain = new boolean[1 << 12];
  private int nodes = 1;

  /** A later replacement of the same string wins. */
  void put(String source, String replacement, boolean isCertain) {
    int node = ROOT;
    for (int i = 0; i < source.length(); i++) {
      char c = source.charAt(i);
      int next = i == 0 ? first[c] : child(node, c);
      if (next == 0) {
        next = newNode();
        if (i == 0) {
          first[c] = next;
        } else {
          addEdge(node, c, next);
        }
      }
      node = next;
    }
    replacements[node] = replacement;
    certain[node] = isCertain;
  }

  private int newNode() {
    if (nodes == replacements.length) {
      replacements = Arrays.copyOf(replacements, nodes * 2);
      certain = Arrays.copyOf(certain, nodes * 2);
    }
    return nodes++;
  }

  private void addEdge(int node, char c, int target) {
    if (edgeCount * 2 >= edges.length) {
      long[] oldEdges = edges;
      int[] oldTargets = targets;
      edges = new long[oldEdges.length * 2];
      targets = new int[oldEdges.length * 2];
      for (int i = 0; i < oldEdges.length; i++) {
        if (oldEdges[i] != 0) {
          int slot = slot(oldEdges[i]);
          edges[slot] = oldEdges[i];
          targets[slot] = oldTargets[i];
        }
      }
    }
    int slot = slot(key(node, c));
    edges[slot] = key(node, c);
    targets[slot] = target;
    edgeCount++;
  }

  private static long key(int node, char c) {
    return ((long) node << 16 | c) + 1;
  }

  /** Where the edge lies, or the free place for it. */
  private int slot(long key) {
    int slot = (int) Words.mix(key) & edges.length - 1;
    while (edges[slot] != 0 && edges[slot] != key) {
      slot = slot + 1 & edges.length - 1;
    }
    return slot;
  }

  private int child(int node, char c) {
    return targets[slot(key(node, c))];
  }

  /**
   * Appends {@code text} from {@code start} to {@code end} with everything replaced.
   *
   * @param certainOnly only what was put as certain
   */
  void replace(String text, int start, int end, boolean certainOnly, StringBuilder out) {
    int copied = start;
    for (int i = start; i < end; ) {
      int node = first[text.charAt(i)];
      int match = 0;
      int matchEnd = i + 1;
      for (int k = i + 1; node != 0; k++) {
        if (replacements[node] != null && (certain[node] || !certainOnly)) {
          match = node;
          matchEnd = k;
        }
        node = k < end ? child(node, text.charAt(k)) : 0;
      }
      if (match != 0) {
        out.append(text, copied, i).append(replacements[match]);
        copied = matchEnd;
      }
      i = matchEnd;
    }
    out.append(text, copied, end);
  }
}
