package caravan.pipeline.read;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;

/** Walks one JSON object and sorts what it holds into {@link RecordFields}. */
final class JsonFields {
  /** The record has not the shape that the settings describe. */
  static final class MismatchException extends IOException {
    MismatchException(String message) {
      super(message);
    }
  }

  private final JsonFactory factory;
  private final JsonParser json;
  private final RecordFields fields;

  /** Takes what no path takes of the field at hand. */
  private JsonGenerator rest;

  private long restValues;

  private JsonFields(JsonFactory factory, JsonParser json, RecordFields fields) {
    this.factory = factory;
    this.json = json;
    this.fields = fields;
  }

  /**
   * Reads the one object that the parser holds.
   *
   * @throws MismatchException when it holds something else, or the object has another shape
   */
  static RecordFields read(JsonFactory factory, JsonParser json, FieldTree.Node root)
      throws IOException {
    JsonToken token = json.nextToken();
    if (token != JsonToken.START_OBJECT) {
      throw new MismatchException("no JSON object but " + kind(token));
    }
    RecordFields fields = new RecordFields(root);
    JsonFields walk = new JsonFields(factory, json, fields);
    while (json.nextToken() != JsonToken.END_OBJECT) {
      walk.field(json.getCurrentName(), json.nextToken());
    }
    if (json.nextToken() != null) {
      throw new MismatchException(
          "more than one JSON value; read.format = json reads values that follow each other");
    }
    return fields;
  }

  private void field(String name, JsonToken token) throws IOException {
    FieldTree.Node node = fields.begin(name, token == JsonToken.VALUE_NULL);
    if (token == JsonToken.VALUE_NULL) {
      return;
    }
    if (node == null) {
      fields.setMeta(name, token.isStructStart() ? structure() : string());
    } else if (node.isLeaf()) {
      fields.setText(node, leaf(node));
    } else {
      StringWriter kept = new StringWriter();
      rest = factory.createGenerator(kept);
      restValues = 0;
      fields.setText(node, take(node));
      rest.close();
      if (restValues > 0) {
        fields.setMeta(name, Records.wellFormed(kept.toString()));
      }
    }
  }

  /** Takes the value at hand; returns its pieces of text, null when it has none. */
  private List<String> take(FieldTree.Node node) throws IOException {
    JsonToken token = json.currentToken();
    boolean array = node.elements() != null;
    if (token == (array ? JsonToken.START_ARRAY : JsonToken.START_OBJECT) && !node.isLeaf()) {
      return array ? array(node.elements()) : object(node);
    }
    List<String> pieces = node.isLeaf() ? leaf(node) : null;
    if (!node.isLeaf() && node.holdsText() && token != JsonToken.VALUE_NULL) {
      throw mismatch(node, array ? "an array" : "an object");
    }
    if (!node.isText) {
      rest.copyCurrentStructure(json);
      restValues++;
    }
    return pieces;
  }

  private List<String> array(FieldTree.Node element) throws IOException {
    List<String> pieces = new ArrayList<>();
    rest.writeStartArray();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      List<String> more = take(element);
      pieces.addAll(more == null ? List.of() : more);
    }
    rest.writeEndArray();
    return pieces;
  }

  private List<String> object(FieldTree.Node node) throws IOException {
    List<List<String>> byOrder = new ArrayList<>();
    node.children.values().forEach(child -> byOrder.add(null));
    rest.writeStartObject();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      FieldTree.Node child = node.children.get(json.getCurrentName());
      if (child == null || !child.isText) {
        rest.writeFieldName(json.getCurrentName());
      }
      json.nextToken();
      if (child == null) {
        rest.copyCurrentStructure(json);
        restValues++;
      } else {
        byOrder.set(child.order, take(child));
      }
    }
    rest.writeEndObject();
    List<String> pieces = null;
    for (List<String> more : byOrder) {
      if (more != null) {
        pieces = pieces == null ? new ArrayList<>() : pieces;
        pieces.addAll(more);
      }
    }
    return pieces;
  }

  /** The value at a path's end. */
  private List<String> leaf(FieldTree.Node node) throws IOException {
    JsonToken token = json.currentToken();
    if (token == JsonToken.VALUE_NULL) {
      return null;
    }
    if (node.isText ? token != JsonToken.VALUE_STRING : token.isStructStart()) {
      throw mismatch(node, node.isText ? "a string" : "a string or a number");
    }
    return fields.leaf(node, string());
  }

  private String string() throws IOException {
    return Records.wellFormed(json.getText());
  }

  private String structure() throws IOException {
    StringWriter out = new StringWriter();
    try (JsonGenerator generator = factory.createGenerator(out)) {
      generator.copyCurrentStructure(json);
    }
    return Records.wellFormed(out.toString());
  }

  private MismatchException mismatch(FieldTree.Node node, String wanted) {
    JsonToken token = json.currentToken();
    String next =
        token == JsonToken.START_ARRAY && node.isText
            ? "; " + node.path + FieldTree.ELEMENTS + " joins an array's strings"
            : "";
    return new MismatchException(
        "field %s (%s) is %s, wanted %s%s"
            .formatted(node.path, node.key(), kind(token), wanted, next));
  }

  private static String kind(JsonToken token) {
    if (token == null) {
      return "nothing";
    }
    return switch (token) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING -> "a string";
      case VALUE_NULL -> "null";
      case VALUE_TRUE, VALUE_FALSE -> "true or false";
      default -> "a number";
    };
  }
}
