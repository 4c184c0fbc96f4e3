package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.SourceFile;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Makes documents of records, and unreadable records of what is none. */
record Records(ReadConfig config) implements Serializable {

  /**
   * The document of a record with fields.
   *
   * @param fields the record's fields, the text among them; absent where null
   * @param raw the record as it stood in the file, for when it is broken
   */
  Document of(SourceFile file, long position, Map<String, String> fields, String raw) {
    String text = fields.get(config.textField());
    if (text == null) {
      return broken(file, position, raw, missing("text-field", config.textField(), fields));
    }
    String id = file.id(position);
    if (!config.idField().isEmpty()) {
      id = fields.get(config.idField());
      if (id == null || id.isEmpty()) {
        return broken(file, position, raw, missing("id-field", config.idField(), fields));
      }
    }
    String source = file.source();
    if (!config.sourceField().isEmpty()) {
      source = fields.get(config.sourceField());
      if (source == null || source.isEmpty()) {
        return broken(file, position, raw, missing("source-field", config.sourceField(), fields));
      }
    }
    Map<String, String> meta = new TreeMap<>(fields);
    meta.remove(config.textField());
    meta.remove(config.idField());
    meta.remove(config.sourceField());
    return bounded(new Document(id, source, file.relativePath(), "", text, meta));
  }

  private static String missing(String key, String name, Map<String, String> fields) {
    return "no field %s (read.%s), it has %s".formatted(name, key, fields.keySet());
  }

  /** The document of a text without fields. */
  Document of(SourceFile file, long position, String text, Map<String, String> meta) {
    String id = file.id(position);
    return bounded(new Document(id, file.source(), file.relativePath(), "", text, meta));
  }

  /**
   * The document of a text and named values, one of which may be its id ({@code read.id-field}).
   */
  Document named(SourceFile file, long position, String text, Map<String, String> values) {
    if (config.idField().isEmpty()) {
      return of(file, position, text, values);
    }
    String id = values.getOrDefault(config.idField(), "");
    if (id.isEmpty()) {
      return broken(file, position, text, missing("id-field", config.idField(), values));
    }
    Map<String, String> meta = new TreeMap<>(values);
    meta.remove(config.idField());
    return bounded(new Document(id, file.source(), file.relativePath(), "", text, meta));
  }

  private Document bounded(Document d) {
    int characters = d.text().codePointCount(0, d.text().length());
    if (characters <= config.maxDocumentCharacters()) {
      return d;
    }
    String detail =
        "%,d code points, maximum %,d".formatted(characters, config.maxDocumentCharacters());
    return Documents.unreadable(
        d.id(), d.source(), d.path(), d.text(), Documents.TOO_LARGE, detail);
  }

  /** A record that is too long to be read whole; its text is the beginning. */
  Document tooLarge(SourceFile file, long position, byte[] beginning, String detail) {
    String text = new String(beginning, StandardCharsets.UTF_8);
    return unreadable(file, position, text, Documents.TOO_LARGE, detail);
  }

  Document broken(SourceFile file, long position, String raw, String detail) {
    return unreadable(file, position, raw, Documents.BROKEN_RECORD, detail);
  }

  /** A record whose bytes are no UTF-8; its text shows U+FFFD where they are not. */
  Document invalidUtf8(SourceFile file, long position, byte[] bytes) {
    String raw = new String(bytes, StandardCharsets.UTF_8);
    byte[] before = raw.substring(0, raw.indexOf('\uFFFD')).getBytes(StandardCharsets.UTF_8);
    String detail =
        "byte %,d of the record (0x%02X) is not UTF-8"
            .formatted(before.length, bytes[before.length] & 0xFF);
    return unreadable(file, position, raw, Documents.INVALID_UTF8, detail);
  }

  /** A record that is no document, for this reason. */
  Document unreadable(SourceFile file, long position, String raw, String reason, String detail) {
    return Documents.unreadable(
        file.id(position), file.source(), file.relativePath(), raw, reason, detail);
  }

  /** The bytes as text; empty when they are not UTF-8. */
  static Optional<String> utf8(byte[] bytes) {
    return decode(bytes, StandardCharsets.UTF_8);
  }

  /** The bytes as text; empty when they are not of this character set. */
  static Optional<String> decode(byte[] bytes, Charset charset) {
    try {
      return Optional.of(
          charset
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(bytes))
              .toString());
    } catch (CharacterCodingException e) {
      return Optional.empty();
    }
  }
}
