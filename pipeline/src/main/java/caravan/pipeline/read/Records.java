package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.SourceFile;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;

/** Makes documents of records, and unreadable records of what is none. */
record Records(ReadConfig config) implements Serializable {

  /**
   * The document of a record with fields.
   *
   * @param raw the record as it stood in the file, for when it is broken
   */
  Document of(SourceFile file, long position, RecordFields fields, Supplier<String> raw) {
    Optional<String> text = fields.text(config.join());
    if (text.isEmpty()) {
      String names = String.join(", ", config.textField());
      return broken(file, position, raw.get(), missing("text-field", names, fields.names()));
    }
    String id = config.idField().isEmpty() ? file.id(position) : fields.id();
    if (id.isEmpty()) {
      return broken(
          file, position, raw.get(), missing("id-field", config.idField(), fields.names()));
    }
    String source = config.sourceField().isEmpty() ? file.source() : fields.source();
    if (source.isEmpty()) {
      String name = config.sourceField();
      return broken(file, position, raw.get(), missing("source-field", name, fields.names()));
    }
    return bounded(new Document(id, source, file.relativePath(), "", text.get(), fields.meta()));
  }

  private static String missing(String key, String name, Collection<String> names) {
    return "no field %s (read.%s), it has %s".formatted(name, key, names);
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
      return broken(file, position, text, missing("id-field", config.idField(), values.keySet()));
    }
    Map<String, String> meta = new TreeMap<>(values);
    meta.remove(config.idField());
    return bounded(new Document(id, file.source(), file.relativePath(), "", text, meta));
  }

  /** The document of a text in {@code [from, to)}, or the broken record. */
  Document ofText(SourceFile file, long position, byte[] utf8, int from, int to) {
    int invalid = Utf8.firstInvalid(utf8, from, to);
    return invalid < 0
        ? of(file, position, text(utf8, from, to), Map.of())
        : invalidEncoding(file, position, utf8, from, to, invalid);
  }

  private Document bounded(Document d) {
    int maximum = config.maxDocumentCharacters();
    if (d.text().length() <= maximum) {
      return d;
    }
    int characters = d.text().codePointCount(0, d.text().length());
    if (characters <= maximum) {
      return d;
    }
    String detail = "%,d code points, maximum %,d".formatted(characters, maximum);
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
    int invalid = Utf8.firstInvalid(bytes, 0, bytes.length);
    String raw = text(bytes, 0, bytes.length);
    return unreadable(file, position, raw, Documents.INVALID_UTF8, notUtf8(bytes, 0, invalid));
  }

  /**
   * A record in {@code [from, to)} that is not of the character set it was read in.
   *
   * @param invalid where the first byte lies that is not
   */
  Document invalidEncoding(
      SourceFile file, long position, byte[] bytes, int from, int to, int invalid) {
    String detail;
    if (charset().equals(StandardCharsets.UTF_8)) {
      Optional<String> advice = EncodingGuess.advice(bytes, from, to);
      detail = notUtf8(bytes, from, invalid) + advice.map(next -> "; " + next).orElse("");
    } else {
      int character = text(bytes, from, invalid).length();
      detail =
          "not %s (read.encoding) after %,d characters".formatted(config.encoding(), character);
    }
    return unreadable(file, position, text(bytes, from, to), Documents.INVALID_UTF8, detail);
  }

  private static String notUtf8(byte[] bytes, int from, int invalid) {
    return "byte %,d of the record (0x%02X) is not UTF-8"
        .formatted(invalid - from, bytes[invalid] & 0xFF);
  }

  /** A record that is no document, for this reason. */
  Document unreadable(SourceFile file, long position, String raw, String reason, String detail) {
    return Documents.unreadable(
        file.id(position), file.source(), file.relativePath(), raw, reason, detail);
  }

  private Charset charset() {
    return Charset.forName(config.encoding());
  }

  /** A file of {@code read.encoding} as UTF-8. */
  InputStream utf8(InputStream in) {
    return charset().equals(StandardCharsets.UTF_8) ? in : new Utf8Stream(in, charset());
  }

  /** A part of a file of {@code read.encoding} as UTF-8. */
  byte[] utf8Bytes(byte[] bytes) {
    return charset().equals(StandardCharsets.UTF_8)
        ? bytes
        : Utf8Stream.toUtf8(bytes, 0, bytes.length, charset());
  }

  /**
   * The bytes that a record may have at most: those of the longest document, every character of it
   * written as two escapes. What goes on for longer, such as a bracket or a quote that never
   * closes, is not kept in memory.
   */
  int maxRecordBytes() {
    long bytes = (1 << 20) + 12L * config.maxDocumentCharacters();
    return (int) Math.min(bytes, Integer.MAX_VALUE - 1024);
  }

  static String text(byte[] utf8, int from, int to) {
    return new String(utf8, from, to - from, StandardCharsets.UTF_8);
  }

  static boolean hasByteOrderMark(byte[] bytes, int from, int to) {
    return to - from >= 3
        && (bytes[from] & 0xFF) == 0xEF
        && (bytes[from + 1] & 0xFF) == 0xBB
        && (bytes[from + 2] & 0xFF) == 0xBF;
  }

  /** The text with U+FFFD for every surrogate without its partner. */
  static String wellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        return replaced(text);
      }
    }
    return text;
  }

  private static String replaced(String text) {
    StringBuilder out = null;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (!Character.isSurrogate(c)) {
        continue;
      }
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      out = out == null ? new StringBuilder(text) : out;
      out.setCharAt(i, '\uFFFD');
    }
    return out == null ? text : out.toString();
  }

  /** The bytes as text; empty when they are not UTF-8. */
  static Optional<String> utf8(byte[] bytes) {
    return Utf8.firstInvalid(bytes, 0, bytes.length) < 0
        ? Optional.of(new String(bytes, StandardCharsets.UTF_8))
        : Optional.empty();
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
