package caravan.pipeline.text;

import com.github.pemistahl.lingua.api.Language;
import com.github.pemistahl.lingua.api.LanguageDetectorBuilder;
import java.io.Serializable;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Chinese, English, or another language. Writing systems decide first, because they cost nothing:
 * Han characters without kana are Chinese. Among texts in Latin letters, those with English
 * function words are English; a detector with n-gram models (lingua) decides the rest.
 */
public final class LanguageDetector implements Serializable {
  public static final String CHINESE = "zh";
  public static final String ENGLISH = "en";
  public static final String OTHER = "other";

  /** Han characters among Han characters and Latin words from which on a text is Chinese. */
  private static final double MIN_HAN = 0.3;

  /** Kana among Han and kana from which on it is Japanese. */
  private static final double MIN_KANA = 0.1;

  /** Letters of neither script among all letters from which on it is something else. */
  private static final double MAX_FOREIGN = 0.3;

  /** English words that no other large language in Latin letters shares. */
  private static final Set<Long> ENGLISH_WORDS =
      Stream.of("the", "and", "of", "that", "with", "this", "which", "from")
          .map(Words::hashOf)
          .collect(Collectors.toUnmodifiableSet());

  private static final double MIN_ENGLISH_WORDS = 0.08;
  private static final int MIN_WORDS = 20;

  /** Lingua looks at this many chars from the middle of a text. */
  private static final int SAMPLE_CHARS = 1000;

  /** Loaded with the first text that needs it; models are shared by all threads. */
  private static final class Lingua {
    static final com.github.pemistahl.lingua.api.LanguageDetector DETECTOR =
        LanguageDetectorBuilder.fromLanguages(
                Language.ENGLISH,
                Language.GERMAN,
                Language.FRENCH,
                Language.SPANISH,
                Language.ITALIAN,
                Language.PORTUGUESE,
                Language.DUTCH,
                Language.INDONESIAN)
            .withLowAccuracyMode()
            .build();
  }

  public String detect(String text) {
    return detect(Words.of(text));
  }

  /** {@code zh}, {@code en} or {@code other}; texts without letters are {@code other}. */
  public String detect(Words words) {
    int han = 0;
    int kana = 0;
    int latin = 0;
    int foreign = 0;
    int english = 0;
    for (int i = 0; i < words.count(); i++) {
      int c = words.text().codePointAt(words.start(i));
      if (Scripts.isHan(c)) {
        han++;
      } else if (Scripts.isKana(c)) {
        kana++;
      } else if (Scripts.isLatinLetter(c)) {
        latin++;
        int length = words.end(i) - words.start(i);
        if (length >= 2 && length <= 5 && ENGLISH_WORDS.contains(words.hash(i))) {
          english++;
        }
      } else if (Character.isLetter(c)) {
        foreign++;
      }
    }
    if (foreign + kana > MAX_FOREIGN * (han + latin + foreign + kana)
        || kana > MIN_KANA * (han + kana)
        || han + latin == 0) {
      return OTHER;
    }
    if (han >= MIN_HAN * (han + latin)) {
      return CHINESE;
    }
    boolean clearlyEnglish = latin >= MIN_WORDS && english >= MIN_ENGLISH_WORDS * latin;
    return clearlyEnglish || lingua(words.text()) ? ENGLISH : OTHER;
  }

  private static boolean lingua(String text) {
    int start = Math.max(0, (text.length() - SAMPLE_CHARS) / 2);
    String sample = text.substring(start, Math.min(text.length(), start + SAMPLE_CHARS));
    return Lingua.DETECTOR.detectLanguageOf(sample) == Language.ENGLISH;
  }
}
