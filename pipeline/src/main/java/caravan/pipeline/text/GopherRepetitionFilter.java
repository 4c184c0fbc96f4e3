package caravan.pipeline.text;

import java.util.List;
import java.util.Optional;

/**
 * The repetition rules of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1): repeated lines and
 * paragraphs, by number and by characters; the characters of the most frequent short n-gram; the
 * characters inside repeated long n-grams. An n-gram is n {@link Words}, compared in lower case; in
 * Chinese, n characters. Characters are code points, shares are of the whole text.
 *
 * <p>As in datatrove, repeated n-grams are counted greedily from the left without overlap and
 * without their first occurrence. A most frequent n-gram that occurs once is no repetition.
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
      TextFilter.checkFraction("max-characters", maxCharacters);
    }
  }

  public GopherRepetitionFilter {
    TextFilter.checkFraction("max-duplicate-lines", maxDuplicateLines);
    TextFilter.checkFraction("max-duplicate-line-characters", maxDuplicateLineCharacters);
    TextFilter.checkFraction("max-duplicate-paragraphs", maxDuplicateParagraphs);
    TextFilter.checkFraction("max-duplicate-paragraph-characters", maxDuplicateParagraphCharacters);
    topNgrams = List.copyOf(topNgrams);
    duplicateNgrams = List.copyOf(duplicateNgrams);
  }

  @Override
  public Optional<Drop> check(Words words) {
    return paragraphs(words).or(() -> lines(words)).or(() -> ngrams(words));
  }

  private Optional<Drop> paragraphs(Words words) {
    return repeated(
        Lines.paragraphs(words.text()),
        words,
        "duplicate_paragraph",
        maxDuplicateParagraphs,
        maxDuplicateParagraphCharacters);
  }

  private Optional<Drop> lines(Words words) {
    return repeated(
        Lines.lines(words.text()),
        words,
        "duplicate_line",
        maxDuplicateLines,
        maxDuplicateLineCharacters);
  }

  private static Optional<Drop> repeated(
      List<String> pieces, Words words, String name, double maxPieces, double maxCharacters) {
    if (pieces.size() < 2) {
      return Optional.empty();
    }
    Lines.Repeated repeated = Lines.repeated(pieces);
    double share = (double) repeated.pieces() / pieces.size();
    double characters = (double) repeated.characters() / words.characters();
    return Drop.above(name + "s", share, maxPieces, " of them")
        .or(() -> Drop.above(name + "_characters", characters, maxCharacters, " of the text"));
  }

  private Optional<Drop> ngrams(Words words) {
    Ngrams ngrams = new Ngrams(words);
    for (NgramLimit limit : topNgrams) {
      double share = (double) ngrams.topCharacters(limit.n()) / words.characters();
      String reason = "top_" + limit.n() + "_gram";
      Optional<Drop> drop = Drop.above(reason, share, limit.maxCharacters(), " of the text");
      if (drop.isPresent()) {
        return drop;
      }
    }
    for (NgramLimit limit : duplicateNgrams) {
      double share = (double) ngrams.repeatedCharacters(limit.n()) / words.characters();
      String reason = "duplicate_" + limit.n() + "_grams";
      Optional<Drop> drop = Drop.above(reason, share, limit.maxCharacters(), " of the text");
      if (drop.isPresent()) {
        return drop;
      }
    }
    return Optional.empty();
  }
}
