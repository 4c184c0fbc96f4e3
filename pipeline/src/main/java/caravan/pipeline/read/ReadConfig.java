package caravan.pipeline.read;

import java.io.Serializable;

/**
 * How raw files become documents: section {@code read} of reference.conf, which explains each.
 *
 * @param format how the files are read
 * @param idField the record's own id; empty: ids are made
 * @param textField the record's text
 * @param sourceField the record's source name; empty: one name per input
 * @param source source name; empty: the directory's or file's name
 * @param maxDocumentCharacters longer documents are kept aside, in code points
 * @param maxBrokenFraction share of unreadable records past which the run fails
 * @param wikipedia of MediaWiki's dumps
 */
public record ReadConfig(
    Format format,
    String idField,
    String textField,
    String sourceField,
    String source,
    int maxDocumentCharacters,
    double maxBrokenFraction,
    WikipediaConfig wikipedia)
    implements Serializable {

  /** Formats of raw files. */
  public enum Format {
    /** By the name's ending. */
    AUTO,
    /** A file is one document. */
    TEXT,
    /** A line is one document. */
    LINES,
    JSONL,
    CSV,
    PARQUET,
    HTML,
    /** A web archive: HTML and text responses, or the text of a WET file. */
    WARC,
    /** An XML dump of Wikipedia or another MediaWiki. */
    WIKIPEDIA
  }

  public ReadConfig {
    if (textField.isEmpty()) {
      throw new IllegalArgumentException("read.text-field: got nothing, wanted a field's name");
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
}
