package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import caravan.pipeline.wikitext.Wikitext;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;

/**
 * MediaWiki's XML dumps: every article is a document, with title, address, page id, revision and
 * its time in {@code meta}. Plain dumps and bzip2 ones, multistream or not, are cut anywhere; a
 * page belongs to the split in which its first byte is stored, or the compressed block of that
 * byte.
 *
 * <p>A made id comes from the page's id in the wiki, so it is the same in every packing of a dump.
 */
record WikipediaFiles(Records records) implements SplitFormat, StreamFormat {
  /** The dump begins with the wiki's name and address. */
  private static final int HEAD_BYTES = 1 << 16;

  private static final Pattern BASE = Pattern.compile("<base>(\\S+/)[^/<]*</base>");

  /** Positions of what is no page with an id are negative; so many may stand in one block. */
  private static final int NUMBER_BITS = 20;

  @Override
  public Cut cut(SourceFile file) {
    boolean anywhere = !Compression.isCompressed(file.relativePath()) || isBzip2(file);
    return anywhere ? Cut.BYTES : Cut.SLICES;
  }

  private static boolean isBzip2(SourceFile file) {
    return file.relativePath().toLowerCase(Locale.ROOT).endsWith(".bz2");
  }

  @Override
  public DocumentIterator open(Split split, Storage storage) throws IOException {
    if (cut(split.file()) == Cut.SLICES) {
      return new StreamedFiles(this, records).open(split, storage);
    }
    Path path = new Path(split.file().path());
    String head;
    try (InputStream in = storage.open(path)) {
      head = head(split.file(), in);
    }
    FSDataInputStream in = storage.open(path);
    in.seek(split.start());
    PageScanner.Chunks chunks =
        isBzip2(split.file())
            ? PageScanner.Chunks.of(new Bzip2Blocks(in, split.start()))
            : PageScanner.Chunks.of(in, split.start());
    PageScanner scanner = new PageScanner(chunks, split.end(), maxBytes());
    return new Pages(split.file(), in, scanner, head, split.start() > 0);
  }

  @Override
  public DocumentIterator open(SourceFile file, InputStream in) throws IOException {
    byte[] head = in.readNBytes(HEAD_BYTES);
    InputStream all = new SequenceInputStream(new ByteArrayInputStream(head), in);
    PageScanner.Chunks chunks = PageScanner.Chunks.of(all, 0);
    PageScanner scanner = new PageScanner(chunks, Long.MAX_VALUE, maxBytes());
    return new Pages(file, in, scanner, text(head), false);
  }

  private static String head(SourceFile file, InputStream in) throws IOException {
    if (!isBzip2(file)) {
      return text(in.readNBytes(HEAD_BYTES));
    }
    Bzip2Blocks.Block first = new Bzip2Blocks(in, 0).next();
    return first == null || first.bytes() == null ? "" : text(first.bytes());
  }

  private static String text(byte[] head) {
    return new String(head, 0, Math.min(head.length, HEAD_BYTES), StandardCharsets.UTF_8);
  }

  /** Address of the wiki's pages, without their titles; empty when the dump does not say. */
  private static String base(String head) {
    Matcher base = BASE.matcher(head);
    return base.find() ? base.group(1) : "";
  }

  private int maxBytes() {
    return (int) Math.min(16L * records.config().maxDocumentCharacters(), Integer.MAX_VALUE - 64);
  }

  private final class Pages extends DocumentIterator {
    private final SourceFile file;
    private final InputStream in;
    private final PageScanner scanner;
    private final String head;
    private final String base;

    /** Whether it was seen, or is seen by another split, that the file is a dump. */
    private boolean checked;

    Pages(SourceFile file, InputStream in, PageScanner scanner, String head, boolean checked) {
      this.file = file;
      this.in = in;
      this.scanner = scanner;
      this.head = head;
      this.base = base(head);
      this.checked = checked;
    }

    @Override
    protected Document advance() throws IOException {
      if (!checked) {
        checked = true;
        if (!head.contains("<mediawiki")) {
          return records.broken(file, -1, "", noDump());
        }
      }
      PageScanner.Found found = scanner.next();
      return found == null ? null : document(found);
    }

    @Override
    protected boolean skipped() throws IOException {
      return checked ? scanner.next() != null : advance() != null;
    }

    private String noDump() {
      if (head.isEmpty()) {
        return isBzip2(file) ? "no block of bzip2 at its start" : "an empty file";
      }
      String start = head.lines().findFirst().orElse("");
      start = start.substring(0, Math.min(80, start.length()));
      return "no MediaWiki dump: begins with \"%s\", wanted <mediawiki".formatted(start);
    }

    private Document document(PageScanner.Found found) {
      long position = ~(found.position() << NUMBER_BITS | found.number());
      if (!found.damage().isEmpty()) {
        String shown = new String(found.page(), StandardCharsets.UTF_8);
        String detail = "at byte %,d: %s".formatted(found.position(), found.damage());
        return records.broken(file, position, shown, detail);
      }
      Optional<String> xml = Records.utf8(found.page());
      if (xml.isEmpty()) {
        return records.invalidUtf8(file, position, found.page());
      }
      try {
        return document(WikipediaPage.parse(xml.get()));
      } catch (IllegalArgumentException e) {
        return records.broken(file, position, xml.get(), e.getMessage());
      }
    }

    private Document document(WikipediaPage page) {
      WikipediaConfig config = records.config().wikipedia();
      if (page.namespace() != 0) {
        String detail = "namespace %d: %s".formatted(page.namespace(), page.title());
        return records.unreadable(file, page.id(), "", Documents.NOT_AN_ARTICLE, detail);
      }
      if (!page.redirect().isEmpty() && !config.redirects()) {
        String detail = "%s → %s".formatted(page.title(), page.redirect());
        return records.unreadable(file, page.id(), "", Documents.REDIRECT, detail);
      }
      Wikitext wikitext = Wikitext.of(page.text(), config.wikitext());
      if (wikitext.disambiguation() && !config.disambiguations()) {
        return records.unreadable(
            file, page.id(), wikitext.text(), Documents.DISAMBIGUATION, page.title());
      }
      Map<String, String> fields = new TreeMap<>();
      fields.put("page", Long.toString(page.id()));
      fields.put("title", page.title());
      fields.put("revision", page.revision());
      fields.put("timestamp", page.timestamp());
      if (!base.isEmpty()) {
        fields.put("url", base + address(page.title()));
      }
      return records.named(file, page.id(), wikitext.text(), fields);
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }

  /** A title as it stands in an address, readable: only what would end the path is escaped. */
  private static String address(String title) {
    return title
        .replace("%", "%25")
        .replace(' ', '_')
        .replace("?", "%3F")
        .replace("#", "%23")
        .replace("\"", "%22");
  }
}
