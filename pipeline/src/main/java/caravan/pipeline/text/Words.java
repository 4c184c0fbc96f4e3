package caravan.pipeline.text;

import java.util.Arrays;

/**
 * A text cut into words. One Han or kana character is one word, and so is a run of other letters,
 * digits and combining marks; punctuation and white space separate words. Chinese has no spaces, so
 * lengths and n-grams are counted in characters there and in words elsewhere, and a mixed text in
 * both.
 *
 * <p>Beside words, <em>tokens</em> are what white space separates, as in Gopher's paper, except
 * that each Han or kana character is a token by itself: {@code hello, 世界。} has the tokens {@code
 * hello,} {@code 世} {@code 界} {@code 。}.
 */
public final class Words {
  private final String text;
  private int[] starts;
  private int[] ends;
  private int count;
  private int characters;
  private int lineBreaks;
  private int wordCharacters;
  private int tokens;
  private int alphabeticTokens;
  private long[] hashes;

  private Words(String text) {
    this.text = text;
    this.starts = new int[text.length() / 4 + 4]; // enough for most texts in Latin letters
    this.ends = new int[starts.length];
  }

  public static Words of(String text) {
    Words words = new Words(text);
    words.segment();
    return words;
  }

  private void segment() {
    int wordStart = -1;
    int wordLength = 0;
    boolean inToken = false;
    boolean letterInToken = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      int next = i + Character.charCount(c);
      characters++;
      lineBreaks += c == '\n' ? 1 : 0;
      boolean single = c >= 0x3005 && (Scripts.isHan(c) || Scripts.isKana(c));
      boolean part = !single && Scripts.isWordPart(c);
      if (!part && wordStart >= 0) {
        add(wordStart, i, wordLength);
        wordStart = -1;
      }
      if (single || Scripts.isSpace(c)) {
        endToken(inToken, letterInToken);
        inToken = false;
        letterInToken = false;
        if (single) {
          add(i, next, 1);
          endToken(true, true);
        }
      } else {
        inToken = true;
        letterInToken |= part && Character.isLetter(c);
      }
      if (part && wordStart < 0) {
        wordStart = i;
        wordLength = 0;
      }
      wordLength++;
      i = next;
    }
    if (wordStart >= 0) {
      add(wordStart, text.length(), wordLength);
    }
    endToken(inToken, letterInToken);
  }

  private void add(int start, int end, int length) {
    if (count == starts.length) {
      int capacity = count * 2;
      starts = Arrays.copyOf(starts, capacity);
      ends = Arrays.copyOf(ends, capacity);
    }
    starts[count] = start;
    ends[count++] = end;
    wordCharacters += length;
  }

  private void endToken(boolean inToken, boolean letterInToken) {
    tokens += inToken ? 1 : 0;
    alphabeticTokens += inToken && letterInToken ? 1 : 0;
  }

  public String text() {
    return text;
  }

  /** Length of the text in code points. */
  public int characters() {
    return characters;
  }

  /** Whether the text has no surrogate pairs: lengths in chars are lengths in code points. */
  boolean isBasic() {
    return characters == text.length();
  }

  /** Line breaks in the text. */
  public int lineBreaks() {
    return lineBreaks;
  }

  /** Number of words. */
  public int count() {
    return count;
  }

  /** Code points of all words together, without what separates them. */
  public int wordCharacters() {
    return wordCharacters;
  }

  /** Number of tokens. */
  public int tokens() {
    return tokens;
  }

  /** Tokens with at least one letter. */
  public int alphabeticTokens() {
    return alphabeticTokens;
  }

  /** Index in chars of the word's first char. */
  public int start(int word) {
    return starts[word];
  }

  /** Index in chars after the word's last char. */
  public int end(int word) {
    return ends[word];
  }

  public String word(int word) {
    return text.substring(starts[word], ends[word]);
  }

  /** 64-bit hash of the word in lower case: equal for equal words in any text. */
  public long hash(int word) {
    return hashes()[word];
  }

  /** The hash that {@link #hash} gives a word. */
  public static long hashOf(String word) {
    return hash(word, 0, word.length());
  }

  private long[] hashes() {
    if (hashes == null) {
      hashes = new long[count];
      for (int i = 0; i < count; i++) {
        hashes[i] = hash(text, starts[i], ends[i]);
      }
    }
    return hashes;
  }

  private static long hash(String text, int start, int end) {
    long h = 0xCBF29CE484222325L;
    for (int i = start; i < end; i++) {
      char c = text.charAt(i);
      h = (h ^ (c < 0x80 ? lower(c) : Character.toLowerCase(c))) * 0x100000001B3L;
    }
    return mix(h);
  }

  private static int lower(char ascii) {
    return ascii >= 'A' && ascii <= 'Z' ? ascii + 32 : ascii;
  }

  /** Spreads the bits of a hash (the finalizer of splitmix64); a bijection. */
  static long mix(long h) {
    h = (h ^ h >>> 30) * 0xBF58476D1CE4E5B9L;
    h = (h ^ h >>> 27) * 0x94D049BB133111EBL;
    return h ^ h >>> 31;
  }
}
