package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import com.univocity.parsers.common.TextParsingException;
import com.univocity.parsers.csv.CsvParser;
import com.univocity.parsers.csv.CsvParserSettings;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Files of comma-separated values (tabs in {@code .tsv}) with a header line, quoted as RFC 4180
 * says. Quoted fields hold line breaks, so a file is read from its start.
 */
record CsvFiles(Records records) implements StreamFormat {
  @Override
  public DocumentIterator open(SourceFile file, InputStream in) throws IOException {
    return new RecordIterator(file, in, records);
  }

  /**
   * Streams a file's records. The parser gets the bytes as Latin-1, because separators and quotes
   * are ASCII in UTF-8 too; so each field's own bytes are seen and checked.
   */
  private static final class RecordIterator extends DocumentIterator {
    private final SourceFile file;
    private final InputStream in;
    private final Records records;
    private final CsvParser parser;
    private final List<String> header;
    private long position;

    RecordIterator(SourceFile file, InputStream in, Records records) throws IOException {
      this.file = file;
      this.in = in;
      this.records = records;
      this.parser = new CsvParser(settings(file.relativePath()));
      try {
        parser.beginParsing(new InputStreamReader(in, StandardCharsets.ISO_8859_1));
      } catch (IllegalStateException | TextParsingException e) {
        throw readError(e);
      }
      String[] first = nextRecord();
      this.header =
          first == null
              ? List.of()
              : Arrays.stream(first)
                  .map(f -> new String(bytes(f), StandardCharsets.UTF_8))
                  .toList();
    }

    private String[] nextRecord() throws IOException {
      try {
        return parser.parseNext();
      } catch (IllegalStateException | TextParsingException e) {
        throw readError(e);
      }
    }

    /** The parser hides the errors of its stream in its own. */
    private static IOException readError(RuntimeException e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        if (cause instanceof IOException io) {
          return io;
        }
      }
      throw e;
    }

    private static CsvParserSettings settings(String name) {
      CsvParserSettings settings = new CsvParserSettings();
      settings.getFormat().setDelimiter(name.matches(".*\\.tsv(\\.\\w+)?") ? '\t' : ',');
      settings.setLineSeparatorDetectionEnabled(true);
      settings.setIgnoreLeadingWhitespaces(false);
      settings.setIgnoreTrailingWhitespaces(false);
      settings.setEmptyValue("");
      settings.setNullValue("");
      settings.setMaxCharsPerColumn(-1);
      settings.setMaxColumns(16_384);
      return settings;
    }

    private static byte[] bytes(String latin1) {
      return WholeFiles.withoutByteOrderMark(latin1.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Override
    protected Document advance() throws IOException {
      String[] values = nextRecord();
      return values == null ? null : document(values, position++);
    }

    @Override
    public void close() throws IOException {
      in.close();
    }

    private Document document(String[] values, long at) {
      String raw = String.join(",", values);
      byte[] rawBytes = raw.getBytes(StandardCharsets.ISO_8859_1);
      Optional<String> decoded = Records.utf8(rawBytes);
      if (decoded.isEmpty()) {
        return records.invalidUtf8(file, at, rawBytes);
      }
      if (values.length != header.size()) {
        String detail =
            "%d fields, the header has %d: %s".formatted(values.length, header.size(), header);
        return records.broken(file, at, decoded.get(), detail);
      }
      Map<String, String> fields = new TreeMap<>();
      for (int i = 0; i < values.length; i++) {
        byte[] value = values[i].getBytes(StandardCharsets.ISO_8859_1);
        fields.put(header.get(i), new String(value, StandardCharsets.UTF_8));
      }
      return records.of(file, at, fields, decoded.get());
    }
  }
}
