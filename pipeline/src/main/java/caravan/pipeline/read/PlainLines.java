package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.SourceFile;

/** A line is a document. */
record PlainLines(Records records) implements LineFiles.LineParser {
  @Override
  public Document parse(SourceFile file, long position, byte[] line) {
    byte[] utf8 = records.utf8Bytes(line);
    return records.ofText(file, position, utf8, 0, utf8.length);
  }
}
