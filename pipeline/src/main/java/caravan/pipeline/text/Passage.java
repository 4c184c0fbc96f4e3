package caravan.pipeline.text;

import java.util.Map;

/**
 * A document's text and what rules measure in it: words, lines, n-grams, each found once, when it
 * is first asked for. For one thread.
 */
public final class Passage {
  private final String text;
  private final Map<String, String> meta;
  private Words words;
  private Lines lines;
  private Lines paragraphs;
  private Ngrams ngrams;
  private Census census;

  private Passage(String text, Map<String, String> meta) {
    this.text = text;
    this.meta = meta;
  }

  public static Passage of(String text) {
    return of(text, Map.of());
  }

  /**
   * @param meta what else the document's record carried, such as its {@code url}
   */
  public static Passage of(String text, Map<String, String> meta) {
    return new Passage(text, meta);
  }

  public String text() {
    return text;
  }

  public Map<String, String> meta() {
    return meta;
  }

  /** The same document with another text. */
  public Passage withText(String newText) {
    return newText.equals(text) ? this : new Passage(newText, meta);
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
