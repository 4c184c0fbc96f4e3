package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Comma-separated values (tabs in {@code .tsv}) with a header line. A record's position is the
 * number of rows between it and the header.
 */
final class CsvFormat implements StreamFormat {
  private final Records records;
  private final FieldTree.Node root;

  CsvFormat(Records records) {
    this.records = records;
    this.root = FieldTree.of(records.config());
  }

  @Override
  public DocumentIterator open(SourceFile file, InputStream in) {
    char delimiter = file.relativePath().matches("(?i).*\\.tsv(\\.\\w+)?") ? '\t' : ',';
    String quote = records.config().quote();
    CsvRows rows =
        new CsvRows(
            records.utf8(in),
            delimiter,
            quote.isEmpty() ? CsvRows.NO_QUOTE : quote.charAt(0),
            records.maxRecordBytes());
    return new Rows(file, rows);
  }

  private final class Rows extends DocumentIterator {
    private final SourceFile file;
    private final CsvRows rows;
    private final List<String> header = new ArrayList<>();
    private boolean unreadable;
    private long position = -1;

    Rows(SourceFile file, CsvRows rows) {
      this.file = file;
      this.rows = rows;
    }

    @Override
    protected Document advance() throws IOException {
      return skipped() ? document() : null;
    }

    @Override
    protected boolean skipped() throws IOException {
      if (unreadable) {
        return false;
      }
      if (header.isEmpty()) {
        if (!rows.next()) {
          return false;
        }
        if (Utf8.firstInvalid(rows.bytes(), rows.from(), rows.to()) >= 0 || rows.isUnclosed()) {
          unreadable = true; // The header stands for the file.
          return true;
        }
        for (int i = 0; i < rows.fieldCount(); i++) {
          header.add(rows.field(i));
        }
      }
      position++;
      return rows.next();
    }

    private Document document() {
      byte[] bytes = rows.bytes();
      int invalid = Utf8.firstInvalid(bytes, rows.from(), rows.to());
      if (invalid >= 0 && !rows.tooLong()) {
        return records.invalidEncoding(file, position, bytes, rows.from(), rows.to(), invalid);
      }
      String raw = Records.text(bytes, rows.from(), rows.to());
      if (rows.tooLong() || rows.isUnclosed()) {
        String detail =
            "a quote in it never closes; if quotes are plain text here, set read.quote = \"\"";
        return records.broken(file, position, raw, detail);
      }
      if (rows.fieldCount() != header.size()) {
        return records.broken(file, position, raw, otherWidth());
      }
      RecordFields fields = new RecordFields(root);
      for (int i = 0; i < header.size(); i++) {
        fields.put(header.get(i), rows.field(i));
      }
      return records.of(file, position, fields, () -> raw);
    }

    private String otherWidth() {
      String detail =
          "%d fields, the header has %d: %s".formatted(rows.fieldCount(), header.size(), header);
      return rows.lines() == 1
          ? detail
          : detail
              + "; it takes %,d lines: if quotes are plain text here, set read.quote = \"\""
                  .formatted(rows.lines());
    }

    @Override
    public void close() throws IOException {
      rows.close();
    }
  }
}
