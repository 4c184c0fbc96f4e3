package caravan.pipeline.tokenize;

import java.io.Serializable;

/**
 * How often training sees the documents of a source, a language, or a source in a language. Of
 * several rules that match a document the first one counts.
 *
 * @param source source name; empty: any
 * @param language {@code zh}, {@code en}, {@code other}; empty: any
 * @param epochs how often each document is written, ≥ 0; 2.5 is twice, and half of the documents a
 *     third time; null where {@code weight} is given
 * @param weight share of the tokens among all rules with a weight, > 0, in any unit; null where
 *     {@code epochs} is given
 */
public record MixtureRule(String source, String language, Double epochs, Double weight)
    implements Serializable {
  /** Beyond, the copies of one document outgrow what a task should hold. */
  private static final double MAX_EPOCHS = 1000;

  public MixtureRule {
    source = source == null ? "" : source;
    language = language == null ? "" : language;
    if (source.isEmpty() && language.isEmpty()) {
      throw new IllegalArgumentException(
          "tokenize.mixture: got a rule without source and language, wanted at least one, such as"
              + " {source = wiki, epochs = 2}");
    }
    String rule = "tokenize.mixture: the rule for " + described(source, language) + " has ";
    if (epochs == null && weight == null) {
      throw new IllegalArgumentException(rule + "neither epochs nor weight, wanted one of them");
    }
    if (epochs != null && weight != null) {
      throw new IllegalArgumentException(rule + "epochs and weight, wanted only one of them");
    }
    if (epochs != null && !(epochs >= 0 && epochs <= MAX_EPOCHS)) {
      throw new IllegalArgumentException(rule + "epochs " + epochs + ", wanted 0 to 1000");
    }
    if (weight != null && !(weight > 0 && weight < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          rule + "weight " + weight + ", wanted a number above 0; to leave it out set epochs = 0");
    }
  }

  boolean matches(String documentSource, String documentLanguage) {
    return (source.isEmpty() || source.equals(documentSource))
        && (language.isEmpty() || language.equals(documentLanguage));
  }

  @Override
  public String toString() {
    return described(source, language);
  }

  private static String described(String source, String language) {
    return (source.isEmpty() ? "" : "source " + source)
        + (source.isEmpty() || language.isEmpty() ? "" : ", ")
        + (language.isEmpty() ? "" : "language " + language);
  }
}
