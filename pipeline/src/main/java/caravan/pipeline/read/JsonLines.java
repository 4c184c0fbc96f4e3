package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.SourceFile;

/** JSON objects, one per line. */
final class JsonLines implements LineFiles.LineParser {
  private final Records records;
  private final JsonRecords json;

  JsonLines(Records records) {
    this.records = records;
    this.json = new JsonRecords(records);
  }

  @Override
  public Document parse(SourceFile file, long position, byte[] line) {
    byte[] utf8 = records.utf8Bytes(line);
    return json.document(file, position, utf8, 0, utf8.length);
  }
}
