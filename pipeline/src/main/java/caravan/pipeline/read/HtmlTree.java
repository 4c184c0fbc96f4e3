package caravan.pipeline.read;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jsoup.select.NodeFilter;
import org.jsoup.select.NodeTraversor;
import org.jsoup.select.NodeVisitor;

/**
 * The elements of a page in the order in which they begin, with how much text each holds inside and
 * outside of links, in characters without white space. Elements are dropped by a mark, not taken
 * out, so that every step is linear in the page.
 */
final class HtmlTree {
  private final List<Element> elements = new ArrayList<>();

  /** Index after an element's last descendant. */
  private int[] end = new int[1 << 10];

  private int[] parent = new int[1 << 10];

  /** Text of an element's own. */
  private int[] ownPlain = new int[1 << 10];

  private int[] ownLinked = new int[1 << 10];

  /** Text of an element and what is below it, without what is dropped. */
  private int[] plain;

  private int[] linked;
  private boolean[] dropped;

  HtmlTree(Element root) {
    NodeTraversor.traverse(
        new NodeVisitor() {
          private int current = -1;
          private int links;

          @Override
          public void head(Node node, int depth) {
            if (node instanceof Element element) {
              current = add(element, current);
              links += element.nameIs("a") ? 1 : 0;
            } else if (node instanceof TextNode text && current >= 0) {
              (links > 0 ? ownLinked : ownPlain)[current] += length(text.getWholeText());
            }
          }

          @Override
          public void tail(Node node, int depth) {
            if (node instanceof Element element) {
              links -= element.nameIs("a") ? 1 : 0;
              end[current] = elements.size();
              current = parent[current];
            }
          }
        },
        root);
    dropped = new boolean[elements.size()];
    plain = new int[elements.size()];
    linked = new int[elements.size()];
    sum();
  }

  private int add(Element element, int parentIndex) {
    int index = elements.size();
    if (index == end.length) {
      end = Arrays.copyOf(end, 2 * index);
      parent = Arrays.copyOf(parent, 2 * index);
      ownPlain = Arrays.copyOf(ownPlain, 2 * index);
      ownLinked = Arrays.copyOf(ownLinked, 2 * index);
    }
    elements.add(element);
    parent[index] = parentIndex;
    return index;
  }

  private static int length(String text) {
    int length = 0;
    for (int i = 0; i < text.length(); i++) {
      length += Character.isWhitespace(text.charAt(i)) || text.charAt(i) == '\u00A0' ? 0 : 1;
    }
    return length;
  }

  private void sum() {
    System.arraycopy(ownPlain, 0, plain, 0, plain.length);
    System.arraycopy(ownLinked, 0, linked, 0, linked.length);
    for (int i = elements.size() - 1; i > 0; i--) {
      if (!dropped[i]) {
        plain[parent[i]] += plain[i];
        linked[parent[i]] += linked[i];
      }
    }
  }

  int size() {
    return elements.size();
  }

  Element element(int index) {
    return elements.get(index);
  }

  int parent(int index) {
    return parent[index];
  }

  /** Index after an element's last descendant. */
  int end(int index) {
    return end[index];
  }

  boolean contains(int index, int other) {
    return index <= other && other < end[index];
  }

  /** Characters outside of links. */
  int plain(int index) {
    return plain[index];
  }

  /** Share of the text that is in links, 0 to 1. */
  double linkShare(int index) {
    return linked[index] == 0 ? 0 : (double) linked[index] / (plain[index] + linked[index]);
  }

  /**
   * Drops, below an element, all for which it is asked; what is below dropped ones is not asked.
   */
  void drop(int root, IntPredicate which) {
    for (int i = root + 1; i < end[root]; ) {
      dropped[i] = dropped[i] || which.test(i);
      i = dropped[i] ? end[i] : i + 1;
    }
    sum();
  }

  /** The elements below one that are not dropped, in order. */
  List<Integer> kept(int root) {
    List<Integer> kept = new ArrayList<>();
    for (int i = root; i < end[root]; i = dropped[i] ? end[i] : i + 1) {
      if (!dropped[i]) {
        kept.add(i);
      }
    }
    return kept;
  }

  /** Visits what is not dropped. */
  void traverse(int root, NodeVisitor visitor) {
    NodeTraversor.filter(
        new NodeFilter() {
          private int next = root;

          @Override
          public FilterResult head(Node node, int depth) {
            if (node instanceof Element) {
              int index = next++;
              if (dropped[index]) {
                next = end[index];
                return FilterResult.SKIP_ENTIRELY;
              }
            }
            visitor.head(node, depth);
            return FilterResult.CONTINUE;
          }

          @Override
          public FilterResult tail(Node node, int depth) {
            visitor.tail(node, depth);
            return FilterResult.CONTINUE;
          }
        },
        elements.get(root));
  }
}
