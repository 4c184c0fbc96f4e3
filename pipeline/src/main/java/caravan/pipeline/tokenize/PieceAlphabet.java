package caravan.pipeline.tokenize;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * The characters that a vocabulary's pieces are made of, and which of them stand side by side
 * inside a piece.
 *
 * <p>Byte pair encoding joins two neighbours only where a piece holds both. So a text may be cut
 * between two characters that no piece holds side by side, and the parts encoded one by one, with
 * the ids of the whole text: merges on one side never see the other, and their order within a side
 * (highest score first, then leftmost) is the same.
 *
 * <p>Characters are named here by a symbol, a char of the Basic Multilingual Plane other than NUL:
 * most by themselves, those beyond the plane by a private-use char that no piece holds. Java's
 * native interface spells the others in a way that SentencePiece cannot read.
 */
final class PieceAlphabet {
  /** No piece holds the character. */
  static final char NONE = 0;

  private static final char FIRST_PRIVATE = '\uE000';
  private static final char LAST_PRIVATE = '\uF8FF';

  private final char[] symbols = new char[1 << 16];
  private final Map<Integer, Character> substitutes = new HashMap<>();
  private final int[] pairs;
  private final int pairMask;

  /**
   * @param pieces the pieces that text can become
   * @throws IllegalArgumentException if they hold more characters beyond the Basic Multilingual
   *     Plane than there are private-use chars left
   */
  PieceAlphabet(Collection<String> pieces) {
    TreeSet<Integer> codePoints = new TreeSet<>();
    for (String piece : pieces) piece.codePoints().forEach(codePoints::add);
    char next = FIRST_PRIVATE;
    for (int codePoint : codePoints) {
      if (codePoint > 0 && codePoint <= Character.MAX_VALUE) {
        symbols[codePoint] = (char) codePoint;
        continue;
      }
      while (next <= LAST_PRIVATE && codePoints.contains((int) next)) next++;
      if (next > LAST_PRIVATE) {
        throw new IllegalArgumentException(
            "the vocabulary holds more than "
                + substitutes.size()
                + " characters beyond U+FFFF, no more can be encoded; train one with a lower"
                + " character coverage");
      }
      substitutes.put(codePoint, next++);
    }
    int count = 0;
    for (String piece : pieces) count += piece.length();
    pairMask = Math.max(16, Integer.highestOneBit(count) * 4) - 1;
    pairs = new int[pairMask + 1];
    for (String piece : pieces) addPairs(translate(piece));
  }

  /** The symbol of a code point, or {@link #NONE}. */
  char symbol(int codePoint) {
    if (codePoint > 0 && codePoint <= Character.MAX_VALUE) return symbols[codePoint];
    return substitutes.getOrDefault(codePoint, NONE);
  }

  /** The code points that stand by a private-use char, in order. */
  SortedSet<Integer> substituted() {
    return new TreeSet<>(substitutes.keySet());
  }

  /** The text with each character replaced by its symbol; each must have one. */
  String translate(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints().forEach(codePoint -> out.append(symbol(codePoint)));
    return out.toString();
  }

  /** Whether some piece holds the two symbols side by side, in this order. */
  boolean joins(char left, char right) {
    int pair = left << 16 | right;
    for (int slot = slot(pair); pairs[slot] != 0; slot = (slot + 1) & pairMask) {
      if (pairs[slot] == pair) return true;
    }
    return false;
  }

  private void addPairs(String piece) {
    for (int i = 1; i < piece.length(); i++) {
      int pair = piece.charAt(i - 1) << 16 | piece.charAt(i);
      int slot = slot(pair);
      while (pairs[slot] != 0 && pairs[slot] != pair) slot = (slot + 1) & pairMask;
      pairs[slot] = pair;
    }
  }

  private int slot(int pair) {
    int mixed = pair * 0x9E3779B1;
    return (mixed ^ mixed >>> 15) & pairMask;
  }
}
