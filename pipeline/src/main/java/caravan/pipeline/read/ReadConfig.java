package caravan.pipeline.read;

import java.io.Serializable;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * How raw files become documents: section {@code read} of reference.conf, which explains each.
 *
 * @param format how the files are read
 * @param encoding character set of text, lines, JSON and CSV
 * @param idField path of the record's own id; empty: ids are made
 * @param textField paths of the record's text, in the order in which it is put together
 * @param join what stands between two pieces of text
 * @param separator what stands between two documents of a text file; empty: the file is one
 * @param quote what fields of CSV are quoted with; empty: nothing is
 * @param sourceField path of the record's source name; empty: one name per input
 * @param source source name; empty: the directory's or file's name
 * @param maxDocumentCharacters longer documents are kept aside, in code points
 * @param maxBrokenFraction share of unreadable records past which the run fails
 * @param wikipedia of MediaWiki's dumps
 */
public record ReadConfig(
    Format format,
    String encoding,
    String idField,
    List<String> textField,
    String join,
    String separator,
    String quote,
    String sourceField,
    String source,
    int maxDocumentCharacters,
    double maxBrokenFraction,
    WikipediaConfig wikipedia)
    implements Serializable {

  private static final Set<String> ENCODINGS = Set.of("utf-8", "gb18030", "big5");

  /** Formats of raw files. */
  public enum Format {
    /** By the name's ending. */
    AUTO,
    /** A file is one document, or several with {@code read.separator} between them. */
    TEXT,
    /** A line is one document. */
    LINES,
    /** A line is one JSON object. */
    JSONL,
    /** One array of JSON objects, or JSON objects that follow each other. */
    JSON,
    CSV,
    PARQUET,
    HTML,
    /** A web archive: HTML and text responses, or the text of a WET file. */
    WARC,
    /** An XML dump of Wikipedia or another MediaWiki. */
    WIKIPEDIA
  }

  public ReadConfig {
    textField = List.copyOf(textField);
    encoding = encoding.toLowerCase(Locale.ROOT);
    if (!ENCODINGS.contains(encoding)) {
      throw new IllegalArgumentException(
          "read.encoding: got %s, wanted utf-8, gb18030 (which reads gbk and gb2312) or big5"
              .formatted(encoding));
    }
    if (textField.isEmpty() || textField.contains("")) {
      throw new IllegalArgumentException("read.text-field: got nothing, wanted a field's name");
    }
    FieldTree.of(textField, idField, sourceField);
    if (quote.length() > 1 || !quote.matches("\\p{ASCII}?")) {
      throw new IllegalArgumentException(
          "read.quote: got %s, wanted one ASCII character, or \"\"".formatted(quote));
    }
    if (maxDocumentCharacters < 1) {
      throw new IllegalArgumentException(
          "read.max-document-characters: got " + maxDocumentCharacters + ", wanted at least 1");
    }
    if (!(maxBrokenFraction >= 0 && maxBrokenFraction <= 1)) {
      throw new IllegalArgumentException(
          "read.max-broken-fraction: got " + maxBrokenFraction + ", wanted 0 to 1");
    }
  }

  /**
   * The same for small files of records with other fields, such as evaluation items: UTF-8, by the
   * endings of their names.
   *
   * @param id path of the record's own id; empty: ids are made
   * @param fields paths of the record's text
   */
  public ReadConfig forRecords(String id, List<String> fields) {
    return new ReadConfig(
        Format.AUTO,
        "utf-8",
        id,
        fields,
        join,
        "",
        quote,
        "",
        "",
        maxDocumentCharacters,
        maxBrokenFraction,
        wikipedia);
  }
}
