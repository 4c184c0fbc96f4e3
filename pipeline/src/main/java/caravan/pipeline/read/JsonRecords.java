package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.SourceFile;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;

/**
 * Documents of JSON objects, read from their bytes in one pass. What the settings' paths name
 * ({@link FieldTree}) becomes text, id and source; everything else goes to {@code meta}: strings as
 * they are, numbers as they are written, objects and arrays as JSON, nulls not at all. Of a key
 * that occurs twice the last counts. An escaped surrogate without its partner, which no UTF-8 can
 * hold, becomes U+FFFD.
 */
final class JsonRecords implements Serializable {
  /**
   * Jackson's own bound on a string, 20 million chars, would refuse long documents; its bound on
   * nesting, 1,000, stays.
   */
  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).build())
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  private final Records records;
  private final FieldTree.Node root;

  JsonRecords(Records records) {
    this.records = records;
    this.root = FieldTree.of(records.config());
  }

  /**
   * The document of a record, or the broken record.
   *
   * @param utf8 the record in {@code [from, to)}
   */
  Document document(SourceFile file, long position, byte[] utf8, int from, int to) {
    int invalid = Utf8.firstInvalid(utf8, from, to);
    if (invalid >= 0) {
      return records.invalidEncoding(file, position, utf8, from, to, invalid);
    }
    for (int i = from; i < Math.min(from + 4, to); i++) {
      if (utf8[i] == 0) { // Jackson would take it for a sign of UTF-16 or UTF-32.
        return broken(file, position, utf8, from, to, "no JSON: a NUL at byte " + (i - from));
      }
    }
    try (JsonParser json = JSON.createParser(utf8, from, to - from)) {
      RecordFields fields = JsonFields.read(JSON, json, root);
      return records.of(file, position, fields, () -> Records.text(utf8, from, to));
    } catch (JsonFields.MismatchException e) {
      return broken(file, position, utf8, from, to, e.getMessage());
    } catch (JsonProcessingException e) {
      return broken(file, position, utf8, from, to, "no JSON: " + fault(e));
    } catch (IOException e) {
      throw new UncheckedIOException("reading from memory", e);
    }
  }

  private static String fault(JsonProcessingException e) {
    // The record is UTF-8: where Jackson says it is not, it met a character outside of strings.
    String message =
        e.getOriginalMessage().startsWith("Invalid UTF-8")
            ? "Unexpected character outside of a string"
            : e.getOriginalMessage();
    return e.getLocation() == null
        ? message
        : "%s, at byte %,d of the record".formatted(message, e.getLocation().getByteOffset());
  }

  /** The document of a record that is parsed already, or the broken record. */
  Document document(SourceFile file, long position, ObjectNode record) {
    try (JsonParser json = record.traverse()) {
      RecordFields fields = JsonFields.read(JSON, json, root);
      return records.of(file, position, fields, record::toString);
    } catch (JsonFields.MismatchException e) {
      return records.broken(file, position, record.toString(), e.getMessage());
    } catch (IOException e) {
      throw new UncheckedIOException("reading from memory", e);
    }
  }

  private Document broken(
      SourceFile file, long position, byte[] utf8, int from, int to, String detail) {
    return records.broken(file, position, Records.text(utf8, from, to), detail);
  }
}
