package caravan.pipeline.text;

import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

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
    List<String> stopWords)
    implements TextFilter {
  private static final String BULLETS = "•●○■□▪◆◇‣⁃-*·";

  public GopherQualityFilter {
    TextFilter.checkRange("words", minWords, maxWords);
    TextFilter.checkRange("mean-word-length", minMeanWordLength, maxMeanWordLength);
    TextFilter.checkRange("symbols-per-word", 0, maxSymbolsPerWord);
    TextFilter.checkFraction("max-bullet-lines", maxBulletLines);
    TextFilter.checkFraction("max-ellipsis-lines", maxEllipsisLines);
    TextFilter.checkFraction("min-alphabetic-tokens", minAlphabeticTokens);
    stopWords = List.copyOf(stopWords);
    if (minStopWords > stopWords.size()) {
      throw new IllegalArgumentException(
          "min-stop-words: got %d, wanted at most the %d words of stop-words"
              .formatted(minStopWords, stopWords.size()));
    }
  }

  @Override
  public Optional<Drop> check(Words words) {
    return Drop.below("too_few_words", words.count(), minWords, " words")
        .or(() -> Drop.above("too_many_words", words.count(), maxWords, " words"))
        .or(() -> meanWordLength(words))
        .or(() -> symbols(words))
        .or(() -> lines(words))
        .or(() -> alphabeticTokens(words))
        .or(() -> stopWords(words));
  }

  private Optional<Drop> meanWordLength(Words words) {
    double mean = (double) words.wordCharacters() / Math.max(1, words.count());
    String unit = " code points per word";
    return Drop.below("mean_word_length", mean, minMeanWordLength, unit)
        .or(() -> Drop.above("mean_word_length", mean, maxMeanWordLength, unit));
  }

  private Optional<Drop> symbols(Words words) {
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
    double perWord = ellipses / count;
    return Drop.above("number_signs", numberSigns / count, maxSymbolsPerWord, " # per word")
        .or(() -> Drop.above("ellipses", perWord, maxSymbolsPerWord, " ellipses per word"));
  }

  private Optional<Drop> lines(Words words) {
    List<String> lines = Lines.lines(words.text());
    double count = Math.max(1, lines.size());
    long bullets = lines.stream().filter(line -> BULLETS.indexOf(line.charAt(0)) >= 0).count();
    long broken = lines.stream().filter(l -> l.endsWith("...") || l.endsWith("…")).count();
    return Drop.above("bullet_lines", bullets / count, maxBulletLines, " of lines")
        .or(() -> Drop.above("ellipsis_lines", broken / count, maxEllipsisLines, " of lines"));
  }

  private Optional<Drop> alphabeticTokens(Words words) {
    double share = (double) words.alphabeticTokens() / Math.max(1, words.tokens());
    return Drop.below("few_alphabetic_tokens", share, minAlphabeticTokens, " of tokens");
  }

  private Optional<Drop> stopWords(Words words) {
    Set<Long> missing = new HashSet<>();
    stopWords.forEach(word -> missing.add(Words.hashOf(word)));
    int wanted = missing.size() - minStopWords;
    for (int i = 0; i < words.count() && missing.size() > wanted; i++) {
      missing.remove(words.hash(i));
    }
    int found = stopWords.size() - missing.size();
    return Drop.below("few_stop_words", found, minStopWords, " different stop words");
  }
}
