package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.SourceFile;
import java.nio.charset.Charset;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An HTML page is a document: its main content, and its title in {@code meta}. Pages that declare
 * another character set than UTF-8 are read in that.
 */
record HtmlFiles(Records records) implements WholeFiles.FileParser {
  private static final Pattern DECLARED =
      Pattern.compile("<meta[^>]{0,200}?charset\\s*=\\s*[\"']?\\s*([A-Za-z0-9_-]+)");

  /** Where the HTML standard looks for a declaration, in bytes. */
  private static final int PRESCAN = 1024;

  @Override
  public Document parse(SourceFile file, byte[] bytes) {
    byte[] page = WholeFiles.withoutByteOrderMark(bytes);
    Charset charset = page.length < bytes.length ? StandardCharsets.UTF_8 : declared(page);
    Optional<String> html = Records.decode(page, charset);
    if (html.isPresent()) {
      HtmlExtractor.Page content = HtmlExtractor.extract(html.get());
      Map<String, String> meta =
          content.title().isEmpty() ? Map.of() : Map.of("title", content.title());
      return records.of(file, 0, content.text(), meta);
    }
    if (charset.equals(StandardCharsets.UTF_8)) {
      return records.invalidUtf8(file, 0, page);
    }
    return records.broken(
        file, 0, new String(page, charset), "not in the character set it declares, " + charset);
  }

  private static Charset declared(byte[] page) {
    String head = new String(page, 0, Math.min(PRESCAN, page.length), StandardCharsets.ISO_8859_1);
    Matcher matcher = DECLARED.matcher(head);
    if (!matcher.find()) {
      return StandardCharsets.UTF_8;
    }
    String name = matcher.group(1).toLowerCase(Locale.ROOT);
    try {
      // As browsers do: pages that say gb2312 or gbk use characters of their superset.
      return Charset.forName(name.startsWith("gb") ? "GB18030" : name);
    } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
      return StandardCharsets.UTF_8;
    }
  }
}
