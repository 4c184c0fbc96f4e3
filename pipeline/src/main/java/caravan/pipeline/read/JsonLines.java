package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.SourceFile;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** JSON objects, one per line. Fields that are objects or arrays stay JSON in {@code meta}. */
record JsonLines(Records records) implements LineFiles.LineParser {
  /** Jackson's own bound on a string, 20 million chars, would refuse long documents. */
  private static final ObjectMapper MAPPER =
      new ObjectMapper(
          JsonFactory.builder()
              .streamReadConstraints(
                  StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).build())
              .build());

  @Override
  public Document parse(SourceFile file, long position, byte[] line) {
    Optional<String> json = Records.utf8(line);
    if (json.isEmpty()) {
      return records.invalidUtf8(file, position, line);
    }
    try {
      JsonNode record = MAPPER.readTree(json.get());
      if (!record.isObject()) {
        String detail = "no JSON object but " + record.getNodeType();
        return records.broken(file, position, json.get(), detail);
      }
      JsonNode text = record.path(records.config().textField());
      if (!text.isMissingNode() && !text.isTextual()) {
        String detail =
            "field %s (read.text-field) is no string but %s"
                .formatted(records.config().textField(), text.getNodeType());
        return records.broken(file, position, json.get(), detail);
      }
      return records.of(file, position, fields(record), json.get());
    } catch (JsonProcessingException e) {
      return records.broken(file, position, json.get(), "no JSON: " + e.getOriginalMessage());
    }
  }

  static Map<String, String> fields(JsonNode record) {
    Map<String, String> fields = new TreeMap<>();
    record
        .fields()
        .forEachRemaining(
            field -> {
              JsonNode value = field.getValue();
              if (!value.isNull()) {
                fields.put(
                    field.getKey(), value.isContainerNode() ? value.toString() : value.asText());
              }
            });
    return fields;
  }
}
