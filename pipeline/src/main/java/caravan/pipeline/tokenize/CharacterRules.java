package caravan.pipeline.tokenize;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A SentencePiece model's {@code precompiled_charsmap}: which characters, or runs of characters,
 * are written in which other way. The file holds a double-array trie (Darts-clone) over UTF-8,
 * whose values are places in the replacements behind it, each of which a zero byte ends.
 */
final class CharacterRules {
  private static final int LABEL = 1 << 31 | 0xFF;

  private final int[] units;
  private final byte[] replacements;
  private final String[] decoded;

  /**
   * @param blob as the model file holds it
   * @throws IllegalArgumentException if it is cut off
   */
  CharacterRules(byte[] blob) {
    ByteBuffer in = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
    try {
      int trieBytes = in.getInt();
      if (trieBytes < 4 || trieBytes % 4 != 0) throw new BufferUnderflowException();
      units = new int[trieBytes / 4];
      for (int i = 0; i < units.length; i++) units[i] = in.getInt();
    } catch (BufferUnderflowException e) {
      throw new IllegalArgumentException(
          "its normalization rules of " + blob.length + " bytes are cut off", e);
    }
    replacements = new byte[in.remaining()];
    in.get(replacements);
    decoded = new String[replacements.length];
  }

  /**
   * The longest rule for what starts at a position: the place of its replacement in the upper and
   * the end of what it replaces in the lower 32 bits, or -1 if no rule fits.
   */
  long longest(char[] text, int start, int end) {
    long found = -1;
    int node = offset(units[0]);
    for (int i = start; i < end; ) {
      int codePoint = Character.codePointAt(text, i, end);
      i += Character.charCount(codePoint);
      int bytes = utf8(codePoint);
      for (int shift = 8 * (length(codePoint) - 1); shift >= 0; shift -= 8) {
        int label = bytes >>> shift & 0xFF;
        node ^= label;
        if (node >= units.length || (units[node] & LABEL) != label) return found;
        int unit = units[node];
        node ^= offset(unit);
        if (shift == 0 && (unit >>> 8 & 1) != 0) {
          found = (long) (units[node] & Integer.MAX_VALUE) << 32 | i;
        }
      }
    }
    return found;
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & 1 << 9) >>> 6);
  }

  private static int length(int codePoint) {
    return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
  }

  /** The bytes of a code point in UTF-8, the first one highest. */
  private static int utf8(int codePoint) {
    return switch (length(codePoint)) {
      case 1 -> codePoint;
      case 2 -> 0xC080 | codePoint >>> 6 << 8 | codePoint & 0x3F;
      case 3 ->
          0xE08080 | codePoint >>> 12 << 16 | (codePoint >>> 6 & 0x3F) << 8 | codePoint & 0x3F;
      default ->
          0xF0808080
              | codePoint >>> 18 << 24
              | (codePoint >>> 12 & 0x3F) << 16
              | (codePoint >>> 6 & 0x3F) << 8
              | codePoint & 0x3F;
    };
  }

  /** What stands at a place of {@link #longest}. */
  String replacement(int place) {
    if (decoded[place] == null) {
      int end = place;
      while (end < replacements.length && replacements[end] != 0) end++;
      decoded[place] = new String(replacements, place, end - place, StandardCharsets.UTF_8);
    }
    return decoded[place];
  }
}
