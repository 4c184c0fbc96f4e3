package caravan.pipeline.text;

import java.util.Map;
import java.util.TreeMap;

/**
 * A document's text and what rules measure in it: words, lines, n-grams, each found once, when it
 * is first asked for. For one thread.
 */
public final class Passage {
  private final String text;
  private final Map<String, String> meta;
  private final String site;

  /** Of all texts of the document. */
  private final Map<String, String> labels;

  private Words words;
  private Lines lines;
  private Lines paragraphs;
  private Ngrams ngrams;
  private Census census;

  private Passage(String text, Map<String, String> meta, String site, Map<String, String> labels) {
    this.text = text;
    this.meta = meta;
    this.site = site;
    this.labels = labels;
  }

  public static Passage of(String text) {
    return of(text, Map.of());
  }

  /**
   * @param meta what else the document's record carried, such as its {@code url}
   */
  public static Passage of(String text, Map<String, String> meta) {
    return of(text, meta, "");
  }

  /**
   * @param site where the document comes from, such as a host; empty when nobody knows
   */
  public static Passage of(String text, Map<String, String> meta, String site) {
    return new Passage(text, meta, site, new TreeMap<>());
  }

  public String text() {
    return text;
  }

  public Map<String, String> meta() {
    return meta;
  }

  public String site() {
    return site;
  }

  /** Says something of the document that goes into its meta. */
  void label(String key, String value) {
    labels.put(key, value);
  }

  /** What rules have said of the document. */
  public Map<String, String> labels() {
    return labels;
  }

  /** The same document with another text. */
  public Passage withText(String newText) {
    return newText.equals(text) ? this : new Passage(newText, meta, site, labels);
  }

  public Words words() {
    if (words == null) {
      words = Words.of(text);
    }
    return words;
  }

  /** Lines with something on them, stripped. */
  public Lines lines() {
    if (lines == null) {
      lines = Lines.of(text);
    }
    return lines;
  }

  /** What blank lines separate, stripped. */
  Lines paragraphs() {
    if (paragraphs == null) {
      paragraphs = lines().paragraphs();
    }
    return paragraphs;
  }

  Ngrams ngrams() {
    if (ngrams == null) {
      ngrams = new Ngrams(words());
    }
    return ngrams;
  }

  Census census() {
    if (census == null) {
      census = new Census(text);
    }
    return census;
  }
}
