package caravan.pipeline.read;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The paths of a record's text, id and source, as one tree. A path is a field's name, or names with
 * dots between them that lead into objects; {@code []} after a name stands for every element of an
 * array: {@code 段落[].内容}. A field of the record whose name is the whole path counts too.
 *
 * <p>Pieces of text come in the order of the paths. Paths through the same array take turns: {@code
 * [turns[].question, turns[].answer]} yields a question, its answer, the next question.
 */
final class FieldTree {
  /** The elements of an array, among a node's children; no field's name, which has no brackets. */
  static final String ELEMENTS = "[]";

  /** A step of a path. */
  static final class Node implements Serializable {
    /** What leads here, for messages. */
    final String path;

    /** Place among its siblings: the order in which the paths name them first. */
    final int order;

    final Map<String, Node> children = new LinkedHashMap<>();
    boolean isText;
    boolean isId;
    boolean isSource;

    private Node(String path, int order) {
      this.path = path;
      this.order = order;
    }

    private Node child(String name) {
      String childPath = name.equals(ELEMENTS) || path.isEmpty() ? path + name : path + "." + name;
      return children.computeIfAbsent(name, n -> new Node(childPath, children.size()));
    }

    boolean isLeaf() {
      return children.isEmpty();
    }

    Node elements() {
      return children.get(ELEMENTS);
    }

    /** The setting that names what is here or below. */
    String key() {
      return holdsText() ? "read.text-field" : isId ? "read.id-field" : "read.source-field";
    }

    /** Whether text is here or below. */
    boolean holdsText() {
      return isText || children.values().stream().anyMatch(Node::holdsText);
    }
  }

  private FieldTree() {}

  static Node of(ReadConfig config) {
    return of(config.textField(), config.idField(), config.sourceField());
  }

  /**
   * @param id empty: no path
   * @param source empty: no path
   * @return the root, which stands for the record itself
   * @throws IllegalArgumentException for a path that is none, or that leads into another's end
   */
  static Node of(List<String> text, String id, String source) {
    Node root = new Node("", 0);
    for (String path : text) {
      add(root, path, "read.text-field").forEach(node -> node.isText = true);
    }
    if (!id.isEmpty()) {
      add(root, id, "read.id-field").forEach(node -> node.isId = true);
    }
    if (!source.isEmpty()) {
      add(root, source, "read.source-field").forEach(node -> node.isSource = true);
    }
    refuseText(root, Optional.empty());
    return root;
  }

  private static List<Node> add(Node root, String path, String key) {
    Node node = root;
    for (String step : path.split("\\.", -1)) {
      String name = step.replaceFirst("(\\[])+$", "");
      if (name.isEmpty() || name.contains(ELEMENTS)) {
        throw new IllegalArgumentException(
            "%s: got \"%s\", wanted a field's name or a path such as data.text or paragraphs[].text"
                .formatted(key, path));
      }
      node = node.child(name);
      for (int i = name.length(); i < step.length(); i += ELEMENTS.length()) {
        node = node.child(ELEMENTS);
      }
    }
    if (node.path.equals(path) && root.children.get(path) == node) {
      return List.of(node);
    }
    return List.of(node, root.child(path));
  }

  /** What is text itself has no fields. */
  private static void refuseText(Node node, Optional<Node> text) {
    if (text.isPresent()) {
      throw new IllegalArgumentException(
          "read.text-field and its like: %s is text, so %s cannot lie in it"
              .formatted(text.get().path, node.path));
    }
    for (Node child : node.children.values()) {
      refuseText(child, node.isText ? Optional.of(node) : text);
    }
  }
}
