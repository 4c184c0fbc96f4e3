package caravan.pipeline.text;

/**
 * What a Chinese text looks like beside the shares that other filters bound: mostly Chinese
 * characters, punctuated, with brackets that pair, few symbols, and a vocabulary. Without a paper:
 * the thresholds were chosen so that prose, dialogues and manuals stay.
 *
 * @param minHan share of Chinese characters among letters and digits
 * @param minPunctuation punctuation marks per Chinese character: lists of keywords have none
 * @param maxPunctuation punctuation marks per Chinese character
 * @param maxSymbols share of what is neither letter, digit, punctuation nor space, among what is no
 *     space
 * @param maxBracketed share of characters inside pairs of brackets
 * @param maxUnpairedBrackets brackets without a partner, as a share of all brackets; asked from ten
 *     brackets on
 * @param minEntropy Shannon entropy of the Chinese characters in bits per character, relative to
 *     that of as many different ones: log2 of their number, at most that of a vocabulary of 1,000
 */
public record ChineseQualityFilter(
    double minHan,
    double minPunctuation,
    double maxPunctuation,
    double maxSymbols,
    double maxBracketed,
    double maxUnpairedBrackets,
    double minEntropy)
    implements TextFilter {
  private static final int FEW_BRACKETS = 10;

  public ChineseQualityFilter {
    Rule.checkFraction("min-han", minHan);
    Rule.checkRange("punctuation", minPunctuation, maxPunctuation);
    Rule.checkFraction("max-symbols", maxSymbols);
    Rule.checkFraction("max-bracketed", maxBracketed);
    Rule.checkFraction("max-unpaired-brackets", maxUnpairedBrackets);
    Rule.checkFraction("min-entropy", minEntropy);
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    Census census = passage.census();
    double letters = Math.max(1, census.letters());
    double han = Math.max(1, census.han());
    double visible = Math.max(1, census.visible());
    int brackets = census.brackets();
    double unpaired = brackets < FEW_BRACKETS ? 0 : (double) census.unpairedBrackets() / brackets;
    return judge.atLeast("few_han", census.han() / letters, minHan, "of letters")
        && judge.atLeast(
            "few_marks", census.punctuation() / han, minPunctuation, "marks per character")
        && judge.atMost(
            "many_marks", census.punctuation() / han, maxPunctuation, "marks per character")
        && judge.atMost("many_symbols", census.symbols() / visible, maxSymbols, "of characters")
        && judge.atMost("bracketed", census.bracketed() / visible, maxBracketed, "of characters")
        && judge.atMost("unpaired_brackets", unpaired, maxUnpairedBrackets, "of brackets")
        && judge.atLeast("low_entropy", census.relativeEntropy(), minEntropy, "of the possible");
  }
}
