package caravan.pipeline.text;

/**
 * The quality rules of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1): number and mean
 * length of words, symbols per word, lines that are bullets or break off, tokens with a letter, and
 * function words. See {@link Words} for what a word is: in Chinese, a character.
 *
 * @param minMeanWordLength code points
 * @param maxMeanWordLength code points
 * @param maxSymbolsPerWord of number signs, and of ellipses, per word
 * @param maxBulletLines share of lines that start with a bullet
 * @param maxEllipsisLines share of lines that end with an ellipsis
 * @param minAlphabeticTokens share of tokens with at least one letter
 * @param minStopWords how many different of the {@code stopWords} must occur
 * @param stopWords function words in lower case; in Chinese, characters
 */
public record GopherQualityFilter(
    int minWords,
    int maxWords,
    double minMeanWordLength,
    double maxMeanWordLength,
    double maxSymbolsPerWord,
    double maxBulletLines,
    double maxEllipsisLines,
    double minAlphabeticTokens,
    int minStopWords,
    WordSet stopWords)
    implements TextFilter {
  private static final String BULLETS = "•●○■□▪◆◇‣⁃-*·";

  public GopherQualityFilter {
    Rule.checkRange("words", minWords, maxWords);
    Rule.checkRange("mean-word-length", minMeanWordLength, maxMeanWordLength);
    Rule.checkRange("symbols-per-word", 0, maxSymbolsPerWord);
    Rule.checkFraction("max-bullet-lines", maxBulletLines);
    Rule.checkFraction("max-ellipsis-lines", maxEllipsisLines);
    Rule.checkFraction("min-alphabetic-tokens", minAlphabeticTokens);
    if (minStopWords > stopWords.size()) {
      throw new IllegalArgumentException(
          "min-stop-words: got %d, wanted at most the %d words of stop-words"
              .formatted(minStopWords, stopWords.size()));
    }
  }

  @Override
  public boolean measure(Passage passage, Judge judge) {
    Words words = passage.words();
    return judge.atLeast("too_few_words", words.count(), minWords, "words")
        && judge.atMost("too_many_words", words.count(), maxWords, "words")
        && meanWordLength(words, judge)
        && symbols(words, judge)
        && lines(passage.lines(), judge)
        && alphabeticTokens(words, judge)
        && stopWords(words, judge);
  }

  private boolean meanWordLength(Words words, Judge judge) {
    double mean = (double) words.wordCharacters() / Math.max(1, words.count());
    String unit = "code points per word";
    return judge.atLeast("mean_word_length", mean, minMeanWordLength, unit)
        && judge.atMost("mean_word_length", mean, maxMeanWordLength, unit);
  }

  private boolean symbols(Words words, Judge judge) {
    String text = words.text();
    int numberSigns = 0;
    int ellipses = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '#') {
        numberSigns++;
      } else if (c == '…') {
        ellipses++;
      } else if (c == '.' && text.startsWith("...", i)) {
        ellipses++;
        i += 2;
      }
    }
    double count = Math.max(1, words.count());
    return judge.atMost("number_signs", numberSigns / count, maxSymbolsPerWord, "# per word")
        && judge.atMost("ellipses", ellipses / count, maxSymbolsPerWord, "ellipses per word");
  }

  private boolean lines(Lines lines, Judge judge) {
    int bullets = 0;
    int broken = 0;
    for (int i = 0; i < lines.count(); i++) {
      bullets += BULLETS.indexOf(lines.firstChar(i)) >= 0 ? 1 : 0;
      broken += lines.breaksOff(i) ? 1 : 0;
    }
    double count = Math.max(1, lines.count());
    return judge.atMost("bullet_lines", bullets / count, maxBulletLines, "of lines")
        && judge.atMost("ellipsis_lines", broken / count, maxEllipsisLines, "of lines");
  }

  private boolean alphabeticTokens(Words words, Judge judge) {
    double share = (double) words.alphabeticTokens() / Math.max(1, words.tokens());
    return judge.atLeast("few_alphabetic_tokens", share, minAlphabeticTokens, "of tokens");
  }

  private boolean stopWords(Words words, Judge judge) {
    int found = stopWords.differentIn(words, minStopWords);
    return judge.atLeast("few_stop_words", found, minStopWords, "different stop words");
  }
}
