package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.SourceFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * WARC files: the main content of each HTML response, each plain-text response as it is; and WET
 * files: the text of each conversion record. {@code meta} has url, date, record-id and title.
 * Responses that are no page (another status than 200, pictures, scripts) are counted as {@link
 * Documents#NOT_A_PAGE}; requests, metadata and the crawler's notes are no documents at all.
 */
record WarcFiles(Records records) implements StreamFormat {
  private static final Set<String> DOCUMENTS = Set.of("response", "conversion", "resource");
  private static final Set<String> HTML = Set.of("text/html", "application/xhtml+xml");

  @Override
  public DocumentIterator open(SourceFile file, InputStream in) {
    return new Pages(file, new WarcReader(in, maxBytes()));
  }

  private int maxBytes() {
    return (int) Math.min(16L * records.config().maxDocumentCharacters(), Integer.MAX_VALUE - 64);
  }

  private final class Pages extends DocumentIterator {
    private final SourceFile file;
    private final WarcReader reader;

    Pages(SourceFile file, WarcReader reader) {
      this.file = file;
      this.reader = reader;
    }

    @Override
    protected Document advance() throws IOException {
      WarcReader.Entry entry = nextRecord();
      return entry == null ? null : document(entry);
    }

    @Override
    protected boolean skipped() throws IOException {
      return nextRecord() != null;
    }

    /** The next record that counts. */
    private WarcReader.Entry nextRecord() throws IOException {
      WarcReader.Entry entry = reader.next();
      while (entry != null
          && entry.damage().isEmpty()
          && !DOCUMENTS.contains(entry.header("warc-type"))) {
        entry = reader.next();
      }
      return entry;
    }

    private Document document(WarcReader.Entry entry) {
      if (!entry.damage().isEmpty()) {
        return records.broken(file, entry.position(), "", entry.damage());
      }
      if (entry.length() > maxBytes()) {
        String detail =
            "%s: %,d bytes, shown %,d; maximum %,d"
                .formatted(url(entry), entry.length(), entry.payload().length, maxBytes());
        return records.tooLarge(file, entry.position(), entry.payload(), detail);
      }
      String type = entry.header("content-type");
      if (!type.startsWith("application/http")) {
        return body(entry, mediaType(type), "", entry.payload());
      }
      HttpResponse response;
      try {
        response = HttpResponse.parse(entry.payload(), maxBytes());
      } catch (IllegalArgumentException e) {
        String raw = new String(entry.payload(), StandardCharsets.UTF_8);
        return records.broken(file, entry.position(), raw, url(entry) + ": " + e.getMessage());
      }
      return response.status() == 200
          ? body(entry, response.mediaType(), response.charset(), response.body())
          : noPage(entry, "status " + response.status());
    }

    private Document body(WarcReader.Entry entry, String type, String charset, byte[] body) {
      boolean html = HTML.contains(type) || (type.isEmpty() && looksLikeHtml(body));
      if (!html && !type.equals("text/plain")) {
        return noPage(entry, type.isEmpty() ? "no content type" : type);
      }
      // A declaration in plain text is text.
      boolean utf8 = !html && charset.isEmpty();
      HtmlBytes.Decoded decoded = HtmlBytes.decode(body, utf8 ? "utf-8" : charset);
      if (decoded.text() == null) {
        return HtmlFiles.undecodable(records, file, entry.position(), body, decoded);
      }
      Map<String, String> fields = new TreeMap<>();
      put(fields, "url", url(entry));
      put(fields, "date", entry.header("warc-date"));
      put(fields, "record-id", recordId(entry));
      if (!html) {
        return records.named(file, entry.position(), decoded.text(), fields);
      }
      HtmlExtractor.Page page = HtmlExtractor.extract(decoded.text());
      put(fields, "title", page.title());
      return records.named(file, entry.position(), page.text(), fields);
    }

    private Document noPage(WarcReader.Entry entry, String what) {
      String detail = "%s: %s".formatted(url(entry), what);
      return records.unreadable(file, entry.position(), "", Documents.NOT_A_PAGE, detail);
    }

    @Override
    public void close() throws IOException {
      reader.close();
    }
  }

  private static String url(WarcReader.Entry entry) {
    return entry.header("warc-target-uri").replaceAll("^<|>$", "");
  }

  /** Without the angle brackets and the scheme that every record has. */
  private static String recordId(WarcReader.Entry entry) {
    return entry.header("warc-record-id").replaceAll("^<(?:urn:uuid:)?|>$", "");
  }

  private static String mediaType(String header) {
    return Optional.of(header.indexOf(';'))
        .map(semicolon -> semicolon < 0 ? header : header.substring(0, semicolon))
        .orElseThrow()
        .strip()
        .toLowerCase(Locale.ROOT);
  }

  private static boolean looksLikeHtml(byte[] body) {
    String start = new String(body, 0, Math.min(512, body.length), StandardCharsets.ISO_8859_1);
    return start
        .toLowerCase(Locale.ROOT)
        .matches("(?s).*<(?:!doctype html|html|head|body)[\\s>].*");
  }

  private static void put(Map<String, String> fields, String name, String value) {
    if (!value.isEmpty()) {
      fields.put(name, value);
    }
  }
}
