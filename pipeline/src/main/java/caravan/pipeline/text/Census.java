package caravan.pipeline.text;

import java.util.Arrays;

/** How many characters of which kind a text has; counted in one pass, in code points. */
final class Census {
  private static final String OPENING = "([{（［｛【〔〈《「『〖";
  private static final String CLOSING = ")]}）］｝】〕〉》」』〗";

  /** Different characters from which on a text's entropy is not expected to grow further. */
  private static final int LARGE_VOCABULARY = 1000;

  /** One count for each char, all 0 between texts. */
  private static final ThreadLocal<int[]> COUNTS = ThreadLocal.withInitial(() -> new int[0x10000]);

  /** Characters whose count is not 0, as many as {@code different} says. */
  private char[] counted = new char[64];

  private int different;
  private int visible;
  private int letters;
  private int han;
  private int punctuation;
  private int symbols;
  private int brackets;
  private int paired;
  private int bracketed;
  private double relativeEntropy;

  Census(String text) {
    int[] counts = COUNTS.get();
    int[] open = new int[OPENING.length()];
    int depth = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\n' && depth > 0) { // brackets pair within a line
        depth = 0;
        Arrays.fill(open, 0);
      }
      if (c <= ' ' || Character.isLowSurrogate(c)) {
        continue;
      }
      visible++;
      bracketed += depth > 0 ? 1 : 0;
      if (c >= 0x4E00 && c <= 0x9FFF) {
        letters++;
        countHan(c, counts);
      } else if (Character.isHighSurrogate(c)) {
        countRare(text.codePointAt(i), counts);
      } else if (Scripts.isWordPart(c)) {
        letters++;
        if (Scripts.isHan(c)) {
          countHan(c, counts);
        }
      } else {
        int opening = OPENING.indexOf(c);
        int closing = opening < 0 ? CLOSING.indexOf(c) : -1;
        if (opening >= 0) {
          brackets++;
          open[opening]++;
          depth++;
        } else if (closing >= 0) {
          brackets++;
          if (open[closing] > 0) {
            open[closing]--;
            depth--;
            paired += 2;
            bracketed--;
          }
        }
        countMark(c);
      }
    }
    relativeEntropy = relativeEntropy(counts);
  }

  private void countHan(char c, int[] counts) {
    han++;
    if (counts[c]++ == 0) {
      if (different == counted.length) {
        counted = Arrays.copyOf(counted, different * 2);
      }
      counted[different++] = c;
    }
  }

  private void countRare(int codePoint, int[] counts) {
    if (Scripts.isHan(codePoint)) {
      letters++;
      countHan((char) codePoint, counts); // shares a cell with a character that is hardly there
    } else if (Scripts.isWordPart(codePoint)) {
      letters++;
    } else {
      symbols++;
    }
  }

  private void countMark(char c) {
    switch (Character.getType(c)) {
      case Character.MATH_SYMBOL,
          Character.CURRENCY_SYMBOL,
          Character.MODIFIER_SYMBOL,
          Character.OTHER_SYMBOL,
          Character.PRIVATE_USE,
          Character.UNASSIGNED ->
          symbols++;
      case Character.OTHER_PUNCTUATION -> {
        if ("#@&*\\%/".indexOf(c) >= 0) {
          symbols++;
        } else {
          punctuation++;
        }
      }
      default -> punctuation++;
    }
  }

  private double relativeEntropy(int[] counts) {
    double sum = 0;
    for (int i = 0; i < different; i++) {
      int count = counts[counted[i]];
      sum += count * Math.log(count);
      counts[counted[i]] = 0;
    }
    int possible = Math.min(han, LARGE_VOCABULARY);
    if (different < 2) {
      return different == 1 && han > 1 ? 0 : 1;
    }
    return Math.min(1, (Math.log(han) - sum / han) / Math.log(possible));
  }

  /** Characters that are no white space. */
  int visible() {
    return visible;
  }

  /** Letters, digits and combining marks of any script. */
  int letters() {
    return letters;
  }

  int han() {
    return han;
  }

  int punctuation() {
    return punctuation;
  }

  /** What is neither letter, digit, punctuation nor white space, and {@code #@&*\%/}. */
  int symbols() {
    return symbols;
  }

  int brackets() {
    return brackets;
  }

  int unpairedBrackets() {
    return brackets - paired;
  }

  /** Characters after an opening bracket, up to its partner or the end of the line. */
  int bracketed() {
    return bracketed;
  }

  /**
   * Entropy of the Chinese characters, as a share of that of equally many different ones; 1 when
   * there are none.
   */
  double relativeEntropy() {
    return relativeEntropy;
  }
}
