package caravan.pipeline.text;

/**
 * The paragraph rule of mC4 (Xue et al. 2021, arXiv 2010.11934, section 3.1): enough lines that are
 * long.
 *
 * @param minParagraphs how many lines must be of at least {@code minParagraphCharacters}
 * @param minParagraphCharacters code points
 */
public record C4ParagraphFilter(int minParagraphs, int minParagraphCharacters)
    implements TextFilter {
  public C4ParagraphFilter {
    Rule.checkNotNegative("min-paragraphs", minParagraphs);
    Rule.checkNotNegative("min-paragraph-characters", minParagraphCharacters);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    Lines lines = passage.lines();
    int paragraphs = 0;
    for (int i = 0; i < lines.count(); i++) {
      paragraphs += lines.characters(i) >= minParagraphCharacters ? 1 : 0;
    }
    return judge.atLeast(
        "few_long_lines",
        paragraphs,
        minParagraphs,
        "lines of at least " + minParagraphCharacters + " code points");
  }
}
