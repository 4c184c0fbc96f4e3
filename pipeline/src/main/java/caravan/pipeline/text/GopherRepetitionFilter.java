package caravan.pipeline.text;

import java.util.List;

/**
 * The repetition rules of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1): repeated lines and
 * paragraphs, by number and by characters; the characters of the most frequent short n-gram; the
 * characters inside repeated long n-grams. An n-gram is n {@link Words}, compared in lower case; in
 * Chinese, n characters. Characters are code points, shares are of the whole text.
 *
 * <p>As in datatrove, repeated n-grams are counted greedily from the left without overlap, without
 * their first occurrence and without what stands between their words. A most frequent n-gram that
 * occurs once is no repetition.
 *
 * @param maxDuplicateLines share of lines that came before
 * @param maxDuplicateLineCharacters share of characters in them
 * @param maxDuplicateParagraphs share of paragraphs (between blank lines) that came before
 * @param maxDuplicateParagraphCharacters share of characters in them
 * @param topNgrams limits for the most frequent n-gram
 * @param duplicateNgrams limits for all repeated n-grams
 */
public record GopherRepetitionFilter(
    double maxDuplicateLines,
    double maxDuplicateLineCharacters,
    double maxDuplicateParagraphs,
    double maxDuplicateParagraphCharacters,
    List<NgramLimit> topNgrams,
    List<NgramLimit> duplicateNgrams)
    implements TextFilter {

  /**
   * @param n words per n-gram
   * @param maxCharacters largest share of the text's characters
   */
  public record NgramLimit(int n, double maxCharacters) implements java.io.Serializable {
    public NgramLimit {
      if (n < 1) {
        throw new IllegalArgumentException("n: got " + n + ", wanted at least 1");
      }
      Rule.checkFraction("max-characters", maxCharacters);
    }
  }

  public GopherRepetitionFilter {
    Rule.checkFraction("max-duplicate-lines", maxDuplicateLines);
    Rule.checkFraction("max-duplicate-line-characters", maxDuplicateLineCharacters);
    Rule.checkFraction("max-duplicate-paragraphs", maxDuplicateParagraphs);
    Rule.checkFraction("max-duplicate-paragraph-characters", maxDuplicateParagraphCharacters);
    topNgrams = List.copyOf(topNgrams);
    duplicateNgrams = List.copyOf(duplicateNgrams);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    double characters = Math.max(1, passage.words().characters());
    return repeated(
            passage.paragraphs(),
            "duplicate_paragraph",
            maxDuplicateParagraphs,
            maxDuplicateParagraphCharacters,
            characters,
            judge)
        && repeated(
            passage.lines(),
            "duplicate_line",
            maxDuplicateLines,
            maxDuplicateLineCharacters,
            characters,
            judge)
        && ngrams(passage.ngrams(), characters, judge);
  }

  private static boolean repeated(
      Lines pieces,
      String name,
      double maxPieces,
      double maxCharacters,
      double characters,
      Judge judge) {
    double share = pieces.repeatedLines() / Math.max(1.0, pieces.count());
    double charactersShare = pieces.repeatedCharacters() / characters;
    return judge.atMost(name + "s", share, maxPieces, "of them")
        && judge.atMost(name + "_characters", charactersShare, maxCharacters, "of the text");
  }

  private boolean ngrams(Ngrams ngrams, double characters, Judge judge) {
    for (NgramLimit limit : topNgrams) {
      if (judge.passesUnheard(
          ngrams.maxTopCharacters(limit.n()) / characters, limit.maxCharacters())) {
        continue;
      }
      double share = ngrams.topCharacters(limit.n()) / characters;
      String reason = "top_" + limit.n() + "_gram";
      if (!judge.atMost(reason, share, limit.maxCharacters(), "of the text")) {
        return false;
      }
    }
    for (NgramLimit limit : duplicateNgrams) {
      double share = ngrams.repeatedCharacters(limit.n()) / characters;
      String reason = "duplicate_" + limit.n() + "_grams";
      if (!judge.atMost(reason, share, limit.maxCharacters(), "of the text")) {
        return false;
      }
    }
    return true;
  }
}
