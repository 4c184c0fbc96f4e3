package caravan.pipeline.read;

import java.util.Optional;

/** What character set bytes may be of that are not UTF-8, so that a message can say what to do. */
final class EncodingGuess {
  /** As much as is looked at. */
  private static final int BYTES = 1 << 16;

  /** Of the characters of two bytes, Chinese text has this share among its set's frequent ones. */
  private static final double FREQUENT = 0.7;

  private EncodingGuess() {}

  /** What to do, as the end of a sentence; empty when nothing is likely. */
  static Optional<String> advice(byte[] bytes, int from, int to) {
    int end = Math.min(to, from + BYTES);
    int first = from < end ? bytes[from] & 0xFF : 0;
    int second = from + 1 < end ? bytes[from + 1] & 0xFF : 0;
    if (first == 0xFF && second == 0xFE || first == 0xFE && second == 0xFF) {
      return Optional.of("it begins as UTF-16 does: convert the file to UTF-8");
    }
    // Level 1 of GB 2312, and of Big5: the frequent characters.
    double gb = frequentShare(bytes, from, end, 0xB0, 0xD7, false);
    double big5 = frequentShare(bytes, from, end, 0xA4, 0xC6, true);
    if (gb < FREQUENT && big5 < FREQUENT) {
      return Optional.empty();
    }
    String name = gb >= big5 ? "gb18030" : "big5";
    return Optional.of("it reads as %s: set read.encoding = %s".formatted(name, name));
  }

  /**
   * The share of two-byte characters whose first byte is in {@code [low, high]}, among those that
   * are no punctuation; 0 when bytes fit no character.
   */
  private static double frequentShare(
      byte[] bytes, int from, int to, int low, int high, boolean lowTrail) {
    int frequent = 0;
    int all = 0;
    int i = from;
    while (i + 1 < to) {
      int lead = bytes[i] & 0xFF;
      int trail = bytes[i + 1] & 0xFF;
      if (lead < 0x80) {
        i++;
        continue;
      }
      boolean fits = trail >= 0xA1 || lowTrail && trail >= 0x40 && trail <= 0x7E;
      if (lead >= (lowTrail ? 0xA4 : 0xB0)) {
        all++;
        frequent += fits && lead >= low && lead <= high ? 1 : 0;
      }
      i += 2;
    }
    return all == 0 ? 0 : (double) frequent / all;
  }
}
