package caravan.pipeline.text;

/**
 * The document rules of C4 (Raffel et al. 2020, arXiv 1910.10683, section 2.2): no placeholder
 * text, no curly brackets (they come from code), enough sentences. They are meant for what {@link
 * C4Lines} leaves.
 *
 * @param placeholders phrases of placeholder text, wherever they stand: {@code lorem ipsum}
 * @param maxCurlyBrackets opening ones per 1,000 code points; C4: 0
 * @param minSentences see {@link Sentences}
 */
public record C4QualityFilter(Phrases placeholders, double maxCurlyBrackets, int minSentences)
    implements TextFilter {
  public C4QualityFilter {
    Rule.checkNotNegative("max-curly-brackets", maxCurlyBrackets);
    Rule.checkNotNegative("min-sentences", minSentences);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    String text = passage.text();
    int placeholder = placeholders.occursIn(text, 0, text.length()) ? 1 : 0;
    return judge.atMost("lorem_ipsum", placeholder, 0, "placeholder texts")
        && judge.atMost(
            "curly_brackets", brackets(passage), maxCurlyBrackets, "{ per 1,000 code points")
        && judge.atLeast(
            "too_few_sentences", Sentences.count(passage.lines()), minSentences, "sentences");
  }

  private static double brackets(Passage passage) {
    String text = passage.text();
    int count = 0;
    for (int i = text.indexOf('{'); i >= 0; i = text.indexOf('{', i + 1)) {
      count++;
    }
    return count == 0 ? 0 : count * 1000.0 / passage.words().characters();
  }
}
