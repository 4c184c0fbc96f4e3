package caravan.pipeline.text;

import java.io.Serializable;
import java.util.BitSet;

/**
 * Chinese, English, or another language, of documents and of single lines. Writing systems decide
 * first, because they cost nothing: Han characters without kana are Chinese, unless some of them
 * are Japan's own. Among texts in Latin letters, {@link EnglishModel} tells English from the rest.
 * {@code jobs/bench/run language} measures it.
 */
public final class LanguageDetector implements Serializable {
  public static final String CHINESE = "zh";
  public static final String ENGLISH = "en";
  public static final String OTHER = "other";

  /**
   * @param language {@code zh}, {@code en} or {@code other}
   * @param confidence 0.5 to 1, and 1 where the writing system decides; 0 without letters
   */
  public record Guess(String language, double confidence) {}

  /** Han characters among Han characters and Latin words from which on a text is Chinese. */
  private static final double MIN_HAN = 0.3;

  /** Kana among Han and kana from which on it is Japanese. */
  private static final double MIN_KANA = 0.1;

  /** Words of other scripts among all words from which on it is something else. */
  private static final double MAX_FOREIGN = 0.3;

  /** Letters of other scripts that count as a word: not all of them write spaces. */
  private static final int FOREIGN_WORD = 4;

  /**
   * Log-odds from which on a text is English: below 0, since the model's other languages are many
   * and those of a corpus of Chinese and English few.
   */
  private static final double MIN_ENGLISH = -0.6;

  /** Characters of Japan's own (shinjitai and kokuji) that no Chinese text has. */
  private static final BitSet JAPANESE = new BitSet();

  static {
    ("値変対効関単読処検応様拡発圧囲択転両釈権訳経覧仮価歴戻継従乗遅挙挿毎帰増戦伝黙済奨専図壊気満拠頼総撃厳険雑収悪抜勧験広覚廃闘隠徴縦"
            + "観隣軽巻払斉黒円陥辺粋聴捜駆弾楽繋賛団剰歓栄渉犠顕沢悩豊剣暦渇売焼譲薬恵騒砕粛郷労穏鉄鋳摂巣脳霊圏氷滝駅髄穂銭繊県続帯歩蔵"
            + "込扱働貸揃昇辻峠枠畑")
        .chars()
        .forEach(JAPANESE::set);
  }

  /** {@code zh}, {@code en} or {@code other}; texts without letters are {@code other}. */
  public String detect(String text) {
    return guess(text, 0, text.length()).language();
  }

  /** The language of a part of a text, such as a line: chars from {@code start} to {@code end}. */
  public Guess guess(String text, int start, int end) {
    Letters letters = Letters.of(text, start, end);
    int foreign = (letters.foreign + FOREIGN_WORD - 1) / FOREIGN_WORD + letters.kana;
    int all = letters.han + letters.latinWords + foreign;
    boolean japanese =
        letters.kana > MIN_KANA * (letters.han + letters.kana)
            || letters.japanese > 0 && !hasSimplified(text, start, end);
    if (all == 0) {
      return new Guess(OTHER, 0);
    }
    if (foreign > MAX_FOREIGN * all || letters.han > 0 && japanese) {
      return new Guess(OTHER, 1);
    }
    if (letters.han >= MIN_HAN * (letters.han + letters.latinWords)) {
      return new Guess(CHINESE, 1);
    }
    double odds = EnglishModel.get().score(text, start, end) - MIN_ENGLISH;
    double confidence = 1 / (1 + Math.exp(-Math.abs(odds)));
    return new Guess(odds > 0 ? ENGLISH : OTHER, confidence);
  }

  private static boolean hasSimplified(String text, int start, int end) {
    ChineseDictionary dictionary = ChineseDictionary.get();
    for (int i = start; i < end; i++) {
      if (dictionary.script(text.charAt(i)) == ChineseDictionary.SIMPLIFIED
          && !JAPANESE.get(text.charAt(i))) {
        return true;
      }
    }
    return false;
  }

  /** Letters of a text by writing system. */
  private static final class Letters {
    private int han;
    private int japanese;
    private int kana;
    private int latinWords;
    private int foreign;

    static Letters of(String text, int start, int end) {
      Letters letters = new Letters();
      Markup markup = new Markup(text, end);
      boolean inLatin = false;
      for (int i = start; i < end; ) {
        char c = text.charAt(i);
        boolean ascii = c < 0x80;
        int lower = c | 0x20;
        boolean latin = ascii ? lower >= 'a' && lower <= 'z' : Scripts.isLatinLetter(c);
        if (latin && !inLatin) {
          letters.latinWords++;
        }
        inLatin = latin;
        if (Markup.mayStart(c)) {
          i = markup.endAt(i);
        } else {
          i += ascii || latin ? 1 : letters.add(text, i, end);
        }
      }
      return letters;
    }

    /** Counts what is neither ASCII nor Latin; returns its chars. */
    private int add(String text, int at, int end) {
      char c = text.charAt(at);
      if (c >= 0x4E00 && c <= 0x9FFF) {
        han++;
        japanese += JAPANESE.get(c) ? 1 : 0;
        return 1;
      }
      int codePoint = Character.isHighSurrogate(c) && at + 1 < end ? text.codePointAt(at) : c;
      if (Scripts.isHan(codePoint)) {
        han++;
      } else if (Scripts.isKana(codePoint)) {
        kana++;
      } else if (Character.isLetter(codePoint)) {
        foreign++;
      }
      return Character.charCount(codePoint);
    }
  }
}
