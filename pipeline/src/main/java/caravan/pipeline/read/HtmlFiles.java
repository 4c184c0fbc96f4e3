package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.SourceFile;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** An HTML page is a document: its main content, and its title in {@code meta}. */
record HtmlFiles(Records records) implements WholeFiles.FileParser {

  @Override
  public Document parse(SourceFile file, byte[] bytes) {
    HtmlBytes.Decoded decoded = HtmlBytes.decode(bytes, "");
    if (decoded.text() == null) {
      return undecodable(records, file, 0, bytes, decoded);
    }
    HtmlExtractor.Page content = HtmlExtractor.extract(decoded.text());
    Map<String, String> meta =
        content.title().isEmpty() ? Map.of() : Map.of("title", content.title());
    return records.of(file, 0, content.text(), meta);
  }

  /** What becomes of a page that is not in the character set it was taken for. */
  static Document undecodable(
      Records records, SourceFile file, long position, byte[] page, HtmlBytes.Decoded decoded) {
    if (decoded.charset().equals(StandardCharsets.UTF_8)) {
      return records.invalidUtf8(file, position, page);
    }
    return records.broken(
        file,
        position,
        new String(page, decoded.charset()),
        "not in the character set it declares, " + decoded.charset());
  }
}
