package caravan.pipeline.text;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * Tells English from other languages in Latin letters, on single words as on pages: a logistic
 * regression over hashed character n-grams, one byte per weight, as in fastText (arXiv 1607.01759)
 * without its hidden layer. jobs/python/train_language.py trained it and says on what.
 *
 * <p>Features: in lower case, without tags and addresses, with runs of all but Latin letters turned
 * into one boundary mark, the n-grams of 1 to 6 chars that hold a boundary at most at their ends.
 * The score is the sum of their weights over the square root of their number, so that it grows with
 * the evidence.
 */
final class EnglishModel {
  private static final String RESOURCE = "english.bin";
  private static final int BUCKETS = 1 << 16;
  private static final int MAX_N = 6;
  private static final char BOUNDARY = '_';

  /** Chars that are scored of long texts: three windows at the beginning, middle and end. */
  private static final int WINDOW = 1000;

  private static final class Holder {
    static final EnglishModel MODEL = new EnglishModel();
  }

  private final byte[] weights = new byte[BUCKETS];
  private final float scale;
  private final char[] letters = new char[0x10000];

  private EnglishModel() {
    try (InputStream in = EnglishModel.class.getResourceAsStream(RESOURCE);
        DataInputStream data = new DataInputStream(in)) {
      scale = data.readFloat();
      data.readFully(weights);
    } catch (IOException e) {
      throw new UncheckedIOException(RESOURCE + ": the model in the jar is unreadable", e);
    }
    for (int c = 0; c < letters.length; c++) {
      letters[c] = Scripts.isLatinLetter(c) ? Character.toLowerCase((char) c) : BOUNDARY;
    }
  }

  static EnglishModel get() {
    return Holder.MODEL;
  }

  /** Log-odds of English; 0 without a Latin letter. */
  double score(String text, int start, int end) {
    if (end - start <= 3 * WINDOW) {
      return new Sum().add(text, start, end).score();
    }
    int middle = start + (end - start - WINDOW) / 2;
    return new Sum()
        .add(text, start, start + WINDOW)
        .add(text, middle, middle + WINDOW)
        .add(text, end - WINDOW, end)
        .score();
  }

  private final class Sum {
    private long weight;
    private int features;

    Sum add(String text, int start, int end) {
      char[] chars = new char[end - start + 2];
      int length = 0;
      chars[length++] = BOUNDARY;
      Markup markup = new Markup(text, end);
      for (int i = start; i < end; ) {
        boolean mayBeMarkup = Markup.mayStart(text.charAt(i));
        char c = letters[text.charAt(i)];
        i = mayBeMarkup ? markup.endAt(i) : i + 1;
        if (c != BOUNDARY || chars[length - 1] != BOUNDARY) {
          chars[length++] = c;
        }
      }
      if (chars[length - 1] != BOUNDARY) {
        chars[length++] = BOUNDARY;
      }
      for (int i = 0; i < length; i++) {
        addFrom(chars, i, length);
      }
      return this;
    }

    private void addFrom(char[] chars, int start, int length) {
      int hash = 0x811C9DC5;
      int end = Math.min(length, start + MAX_N);
      for (int i = start; i < end; i++) {
        char c = chars[i];
        hash = (hash ^ c) * 0x01000193;
        if (i > start || c != BOUNDARY) {
          weight += weights[(hash ^ hash >>> 15) & BUCKETS - 1];
          features++;
        }
        if (c == BOUNDARY && i > start) {
          return;
        }
      }
    }

    double score() {
      return features == 0 ? 0 : weight * scale / Math.sqrt(features);
    }
  }
}
