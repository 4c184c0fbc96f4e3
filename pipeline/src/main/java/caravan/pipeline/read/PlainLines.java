package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.SourceFile;
import java.util.Map;

/** A line is a document. */
record PlainLines(Records records) implements LineFiles.LineParser {
  @Override
  public Document parse(SourceFile file, long position, byte[] line) {
    return Records.utf8(line)
        .map(text -> records.of(file, position, text, Map.of()))
        .orElseGet(() -> records.invalidUtf8(file, position, line));
  }
}
