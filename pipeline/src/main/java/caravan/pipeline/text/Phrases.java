package caravan.pipeline.text;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;

/**
 * Words and phrases to look for, whatever their case. A trie in hash tables: the search looks at
 * each place of a text once and, where a phrase could begin, at no more chars than the longest
 * phrase has.
 */
public final class Phrases implements Serializable {
  private final List<String> phrases;

  /** Which chars begin a phrase. */
  private final long[] firsts = new long[1024];

  /** Edges: parent node and char; each leads to the node of the same index in {@code children}. */
  private long[] edges = new long[64];

  private int[] children = new int[64];
  private int edgeCount;

  /** Whether a phrase ends at a node; node 0 is the root. */
  private boolean[] ends = new boolean[64];

  private int nodes = 1;

  /**
   * @throws IllegalArgumentException for an empty phrase
   */
  @JsonCreator
  public Phrases(List<String> phrases) {
    this.phrases = List.copyOf(phrases);
    for (String phrase : phrases) {
      if (phrase.isBlank()) {
        throw new IllegalArgumentException("phrases: got an empty one among " + phrases);
      }
      put(phrase);
    }
  }

  @JsonValue
  public List<String> list() {
    return phrases;
  }

  /** Whether one of the phrases stands anywhere between two char indexes, inside words too. */
  public boolean occursIn(String text, int from, int to) {
    return indexIn(text, from, to, false) >= 0;
  }

  /**
   * Index in chars of the first phrase between two char indexes, or -1. A phrase that begins or
   * ends with a letter or digit of a script with word spaces must begin or end a word there;
   * Chinese ones may stand anywhere.
   */
  int indexOfWord(String text, int from, int to) {
    return indexIn(text, from, to, true);
  }

  /** Phrases in a text, without overlap, found as {@link #indexOfWord} finds them. */
  int count(String text) {
    int count = 0;
    int at = indexOfWord(text, 0, text.length());
    while (at >= 0) {
      count++;
      at = indexOfWord(text, endAt(text, at, text.length(), true), text.length());
    }
    return count;
  }

  /** Char index after the longest phrase that begins at {@code start}, or -1. */
  int endAt(String text, int start) {
    int node = 0;
    int end = -1;
    for (int i = start; i < text.length() && node >= 0; i++) {
      node = child(node, lower(text.charAt(i)));
      end = node >= 0 && ends[node] ? i + 1 : end;
    }
    return end;
  }

  private int indexIn(String text, int from, int to, boolean wholeWords) {
    for (int i = from; i < to; i++) {
      char c = lower(text.charAt(i));
      if ((firsts[c >> 6] >>> c & 1) != 0 && endAt(text, i, to, wholeWords) > 0) {
        return i;
      }
    }
    return -1;
  }

  private int endAt(String text, int start, int to, boolean wholeWords) {
    if (wholeWords && start > 0 && joins(text.charAt(start - 1), text.charAt(start))) {
      return -1;
    }
    int node = 0;
    for (int i = start; i < to; i++) {
      node = child(node, lower(text.charAt(i)));
      if (node < 0) {
        return -1;
      }
      boolean complete =
          !wholeWords || i + 1 == text.length() || !joins(text.charAt(i), text.charAt(i + 1));
      if (ends[node] && complete) {
        return i + 1;
      }
    }
    return -1;
  }

  /** Whether two neighbours belong to one word. */
  private static boolean joins(char left, char right) {
    return isSpaced(left) && isSpaced(right);
  }

  private static boolean isSpaced(char c) {
    return Scripts.isWordPart(c) && !Scripts.isHan(c) && !Scripts.isKana(c);
  }

  private static char lower(char c) {
    return c < 0x80 ? (char) (c >= 'A' && c <= 'Z' ? c + 32 : c) : Character.toLowerCase(c);
  }

  private void put(String phrase) {
    int node = 0;
    for (int i = 0; i < phrase.length(); i++) {
      char c = lower(phrase.charAt(i));
      int next = child(node, c);
      node = next < 0 ? addChild(node, c) : next;
    }
    ends[node] = true;
    char first = lower(phrase.charAt(0));
    firsts[first >> 6] |= 1L << first;
  }

  private int child(int node, char c) {
    return children[slot(edges, edge(node, c))] - 1;
  }

  /** Never 0, which marks a free slot. */
  private static long edge(int node, char c) {
    return (long) node << 17 | 1L << 16 | c;
  }

  private static int slot(long[] table, long edge) {
    int mask = table.length - 1;
    int slot = (int) Words.mix(edge) & mask;
    while (table[slot] != 0 && table[slot] != edge) {
      slot = slot + 1 & mask;
    }
    return slot;
  }

  private int addChild(int node, char c) {
    if (++edgeCount * 2 > edges.length) {
      grow();
    }
    if (nodes == ends.length) {
      ends = Arrays.copyOf(ends, nodes * 2);
    }
    int slot = slot(edges, edge(node, c));
    edges[slot] = edge(node, c);
    children[slot] = nodes + 1;
    return nodes++;
  }

  private void grow() {
    long[] oldEdges = edges;
    int[] oldChildren = children;
    edges = new long[oldEdges.length * 2];
    children = new int[edges.length];
    for (int i = 0; i < oldEdges.length; i++) {
      if (oldEdges[i] != 0) {
        int slot = slot(edges, oldEdges[i]);
        edges[slot] = oldEdges[i];
        children[slot] = oldChildren[i];
      }
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Phrases that && that.phrases.equals(phrases);
  }

  @Override
  public int hashCode() {
    return phrases.hashCode();
  }

  @Override
  public String toString() {
    return phrases.toString();
  }
}
