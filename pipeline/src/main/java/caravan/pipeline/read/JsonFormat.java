package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import java.io.IOException;
import java.io.InputStream;

/** A file that is one array of JSON objects, or JSON objects that follow each other. */
final class JsonFormat implements StreamFormat {
  private final Records records;
  private final JsonRecords json;

  JsonFormat(Records records) {
    this.records = records;
    this.json = new JsonRecords(records);
  }

  @Override
  public DocumentIterator open(SourceFile file, InputStream in) {
    JsonValues values = new JsonValues(records.utf8(in), records.maxRecordBytes());
    return new DocumentIterator() {
      @Override
      protected Document advance() throws IOException {
        return values.next() ? document(file, values) : null;
      }

      @Override
      protected boolean skipped() throws IOException {
        return values.next();
      }

      @Override
      public void close() throws IOException {
        values.close();
      }
    };
  }

  private Document document(SourceFile file, JsonValues value) {
    byte[] bytes = value.bytes();
    if (!value.tooLong() && !value.cutOff()) {
      return json.document(file, value.position(), bytes, value.from(), value.to());
    }
    String raw = Records.text(bytes, value.from(), value.to());
    if (value.tooLong()) {
      String detail =
          "goes on for more than %,d bytes; does a bracket or quote in it never close?"
              .formatted(records.maxRecordBytes());
      return records.broken(file, value.position(), raw, detail);
    }
    String detail =
        raw.isEmpty()
            ? "the file ends before its array does: was it cut off?"
            : "the file ends inside this record: was it cut off?";
    return records.broken(file, value.position(), raw, detail);
  }
}
