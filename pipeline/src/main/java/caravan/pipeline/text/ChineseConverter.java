package caravan.pipeline.text;

import java.io.Serializable;
import java.util.Locale;
import java.util.Map;

/**
 * Traditional to simplified Chinese by OpenCC's dictionaries, longest match first: 乾杯 becomes 干杯
 * and 乾坤 stays, 頭髮 becomes 头发 and 發展 发展; with Taiwan's vocabulary 計程車 becomes 出租车.
 *
 * <p>Line by line, so that pages of both writings come out right: a line with more characters of
 * traditional than of simplified text alone is converted as a whole (in a tie, the text decides,
 * and if it has no more simplified ones, it is); in other lines only words with a traditional
 * character change, so that the 著 of simplified text stays 著. Converting twice changes nothing
 * more.
 *
 * <p>Deviation from OpenCC: it segments by one dictionary first and then converts in two steps;
 * this is one step with one longest match.
 */
public final class ChineseConverter implements Serializable {
  public static final String TRADITIONAL = "Hant";
  public static final String SIMPLIFIED = "Hans";

  /** Edit: characters that conversion took away, less those it added. */
  public static final String EDIT = "simplified";

  /** What happens to traditional Chinese. */
  public enum Mode {
    KEEP,
    /** Characters only. */
    SIMPLIFY,
    /** Characters, and Taiwan's words become those of the mainland. */
    SIMPLIFY_TAIWAN;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private final Mode mode;

  public ChineseConverter(Mode mode) {
    this.mode = mode;
  }

  /**
   * {@link #TRADITIONAL} or {@link #SIMPLIFIED}, of which the text has more characters that only
   * one of them has; empty when it has none, or as many of each.
   */
  public static String script(String text) {
    int balance = balance(text, 0, text.length()).difference();
    return balance == 0 ? "" : balance > 0 ? TRADITIONAL : SIMPLIFIED;
  }

  public TextEdit.Edited convert(String text) {
    if (mode == Mode.KEEP) {
      return new TextEdit.Edited(text, Map.of());
    }
    Balance whole = balance(text, 0, text.length());
    if (whole.traditional == 0 && whole.simplified > 0) {
      return new TextEdit.Edited(text, Map.of());
    }
    String converted = converted(text, whole);
    if (converted.equals(text)) {
      return new TextEdit.Edited(text, Map.of());
    }
    long removed =
        text.codePointCount(0, text.length()) - converted.codePointCount(0, converted.length());
    return new TextEdit.Edited(converted, Map.of(EDIT, removed));
  }

  private String converted(String text, Balance whole) {
    StringBuilder out = new StringBuilder(text.length());
    for (int start = 0; start < text.length(); ) {
      int lineBreak = text.indexOf('\n', start);
      int end = lineBreak < 0 ? text.length() : lineBreak + 1;
      convertLine(text, start, end, whole.difference(), out);
      start = end;
    }
    return out.toString();
  }

  private void convertLine(String text, int start, int end, int wholeText, StringBuilder out) {
    ChineseDictionary dictionary = ChineseDictionary.get();
    Balance line = balance(text, start, end);
    int traditional = line.difference() == 0 ? wholeText : line.difference();
    if (traditional < 0 && line.traditional == 0) {
      out.append(text, start, end);
      return;
    }
    // Words such as 程序 mean one thing in Taiwan and another on the mainland: only with a sign.
    boolean words = mode == Mode.SIMPLIFY_TAIWAN && traditional != 0;
    CharTrie trie = words ? dictionary.taiwan() : dictionary.characters();
    trie.replace(text, start, end, traditional < 0, out);
  }

  /**
   * @param traditional characters that only traditional text has
   * @param simplified characters that only simplified text has
   */
  private record Balance(int traditional, int simplified) {
    int difference() {
      return traditional - simplified;
    }
  }

  private static Balance balance(String text, int start, int end) {
    ChineseDictionary dictionary = ChineseDictionary.get();
    int traditional = 0;
    int simplified = 0;
    for (int i = start; i < end; i++) {
      byte script = dictionary.script(text.charAt(i));
      traditional += script & ChineseDictionary.TRADITIONAL;
      simplified += script >> 1;
    }
    return new Balance(traditional, simplified);
  }
}
