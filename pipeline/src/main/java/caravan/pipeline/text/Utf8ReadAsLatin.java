package caravan.pipeline.text;

import java.nio.charset.StandardCharsets;

/** Finds and repairs UTF-8 that was read as windows-1252 or Latin-1; {@link Mojibake} says when. */
final class Utf8ReadAsLatin {
  private final String text;

  /** Chars of the high half that belong to no valid sequence. */
  private int stray;

  private int certain;
  private int possible;

  Utf8ReadAsLatin(String text) {
    this.text = text;
  }

  String repair() {
    String certainOnly = rewrite(false);
    return certain > 0 && possible > 0 && stray == 0 ? rewrite(true) : certainOnly;
  }

  private String rewrite(boolean possibleToo) {
    StringBuilder out = new StringBuilder(text.length());
    int copied = 0;
    for (int i = 0; i < text.length(); ) {
      if (text.charAt(i) < 0x80 || Mojibake.byteOf(text.charAt(i)) < 0) {
        i++;
        continue;
      }
      int end = group(i);
      if (end == i) {
        stray++;
        i++;
        continue;
      }
      String decoded = decode(i, end);
      boolean plausible = decoded.codePoints().allMatch(Utf8ReadAsLatin::isPlausible);
      if (plausible && isCertain(i, end)) {
        certain++;
      } else if (plausible) {
        possible++;
      } else {
        stray++;
      }
      if (plausible && (possibleToo || isCertain(i, end))) {
        out.append(text, copied, i).append(decoded);
        copied = end;
      }
      i = end;
    }
    return copied == 0 ? text : out.append(text, copied, text.length()).toString();
  }

  /**
   * End of the longest row of valid sequences from {@code start}; {@code start} if there is none.
   */
  private int group(int start) {
    int end = start;
    for (int length = sequence(end); length > 0; length = sequence(end)) {
      end += length;
    }
    return end;
  }

  /** Length of the valid UTF-8 sequence of two to four bytes at {@code at}; 0 for none. */
  private int sequence(int at) {
    int lead = byteAt(at);
    int length = lead < 0xC2 || lead > 0xF4 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    for (int i = 1; i < length; i++) {
      if ((byteAt(at + i) & 0xC0) != 0x80 || byteAt(at + i) > 0xFF) {
        return 0;
      }
    }
    int second = length > 2 ? byteAt(at + 1) : 0x80;
    boolean tooLong = lead == 0xE0 && second < 0xA0 || lead == 0xF0 && second < 0x90;
    boolean outside = lead == 0xED && second > 0x9F || lead == 0xF4 && second > 0x8F;
    return tooLong || outside ? 0 : length;
  }

  /** The byte that was read as the char; 0 past the end and for chars that no byte gives. */
  private int byteAt(int at) {
    return at < text.length() ? Math.max(0, Mojibake.byteOf(text.charAt(at))) : 0;
  }

  private String decode(int start, int end) {
    byte[] bytes = new byte[end - start];
    for (int i = start; i < end; i++) {
      bytes[i - start] = (byte) byteAt(i);
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private boolean isCertain(int start, int end) {
    int first = sequence(start);
    if (first == end - start) {
      return first == 2 ? isCertainPair(start) : isCertainAlone(start);
    }
    int second = sequence(start + first);
    boolean three = start + first + second < end;
    return three || first > 2 && second > 2 || isCertainAlone(start);
  }

  /** Signs whose bytes, read as chars, no writing puts side by side. */
  private boolean isCertainAlone(int at) {
    int second = byteAt(at + 1);
    return switch (byteAt(at)) {
      case 0xE2 -> second == 0x80 || second == 0x82 || second == 0x84 || second == 0x86;
      case 0xE3 -> second == 0x80;
      case 0xEF -> second == 0xBC || second == 0xBD || second == 0xBB && byteAt(at + 2) == 0xBF;
      case 0xF0 -> second == 0x9F;
      default -> false;
    };
  }

  /** Ã or Â, then a sign, in a place where they are no capital letters. */
  private boolean isCertainPair(int at) {
    char before = at == 0 ? ' ' : text.charAt(at - 1);
    char after = at + 2 < text.length() ? text.charAt(at + 2) : ' ';
    boolean inWord = before >= 'a' && before <= 'z';
    return switch (byteAt(at)) {
      case 0xC2 ->
          inWord
              || !Character.isLetter(before) && "£¥§©®°±²³µ·¼½¾".indexOf(text.charAt(at + 1)) >= 0;
      case 0xC3 ->
          inWord || after >= 'a' && after <= 'z' && "»”’\u00A0".indexOf(text.charAt(at + 1)) < 0;
      default -> false;
    };
  }

  /** Characters that documents hold, or C1 controls, which are halves of what is broken twice. */
  private static boolean isPlausible(int c) {
    int type = Character.getType(c);
    return type != Character.UNASSIGNED && type != Character.PRIVATE_USE;
  }
}
