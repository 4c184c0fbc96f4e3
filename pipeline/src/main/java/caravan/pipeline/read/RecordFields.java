package caravan.pipeline.read;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;

/** The fields of one record as its reader meets them, sorted by what they are for. */
final class RecordFields {
  /** So many of a record's names are told when one is missing. */
  private static final int NAMES_TOLD = 20;

  private final FieldTree.Node root;

  /** Pieces of text below each child of the root, by its order; null where the record has none. */
  private final List<List<String>> text;

  private final List<String> names = new ArrayList<>();
  private final Map<String, String> meta = new TreeMap<>();
  private String id = "";
  private String source = "";

  RecordFields(FieldTree.Node root) {
    this.root = root;
    this.text = new ArrayList<>(Collections.nCopies(root.children.size(), null));
  }

  /** A field of a flat record. */
  void put(String name, String value) {
    FieldTree.Node node = begin(name, false);
    if (node == null || !node.isLeaf()) {
      meta.put(name, value);
    } else {
      setText(node, leaf(node, value));
    }
  }

  /**
   * Notes that a field begins; what an earlier one of the same name brought is forgotten.
   *
   * @return what paths say about it; null: it is meta
   */
  FieldTree.Node begin(String name, boolean isNull) {
    if (names.size() < NAMES_TOLD) {
      names.add(isNull ? name + " (null)" : name);
    } else if (names.size() == NAMES_TOLD) {
      names.add("…");
    }
    FieldTree.Node node = root.children.get(name);
    meta.remove(name);
    if (node != null) {
      text.set(node.order, null);
    }
    return node;
  }

  void setText(FieldTree.Node node, List<String> pieces) {
    text.set(node.order, pieces);
  }

  void setMeta(String name, String value) {
    meta.put(name, value);
  }

  /** Takes a value at a path's end; returns its pieces of text, null when it is none. */
  List<String> leaf(FieldTree.Node node, String value) {
    if (node.isId) {
      id = value;
    }
    if (node.isSource) {
      source = value;
    }
    return node.isText ? List.of(value) : null;
  }

  /**
   * The pieces of text that are not empty, joined; empty when the record has none of the fields.
   */
  Optional<String> text(String separator) {
    StringBuilder joined = new StringBuilder();
    boolean found = false;
    for (List<String> pieces : text) {
      found |= pieces != null;
      for (String piece : Objects.requireNonNullElse(pieces, List.<String>of())) {
        if (!piece.isEmpty()) {
          joined.append(joined.isEmpty() ? "" : separator).append(piece);
        }
      }
    }
    return found ? Optional.of(joined.toString()) : Optional.empty();
  }

  /** Empty when there is none. */
  String id() {
    return id;
  }

  /** Empty when there is none. */
  String source() {
    return source;
  }

  Map<String, String> meta() {
    return meta;
  }

  /** The record's names in its order, for messages. */
  List<String> names() {
    return names;
  }
}
