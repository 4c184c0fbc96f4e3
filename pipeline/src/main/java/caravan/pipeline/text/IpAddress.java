package caravan.pipeline.text;

import java.util.List;

/** Public IP addresses: neither private nor reserved (RFC 6890). */
final class IpAddress {
  private static final int MAX_IPV6 = 39;

  /** Words after which a dotted number is no address. */
  private static final List<String> VERSION_WORDS =
      List.of(
          "version",
          "versions",
          "release",
          "section",
          "chapter",
          "ver",
          "ver.",
          "rev",
          "版本",
          "版",
          "第",
          "节",
          "章",
          "条");

  private IpAddress() {}

  /** Where the address ends that starts with {@code run} digits at {@code start}; -1 for none. */
  static int end(String text, int start, int run) {
    if (run <= 3 && start + run < text.length() && text.charAt(start + run) == '.') {
      return ipv4(text, start);
    }
    boolean ipv6 =
        run <= 4
            && start + 5 < text.length()
            && text.charAt(start + 4) == ':'
            && (text.charAt(start) == '2' || text.charAt(start) == '3');
    return ipv6 ? ipv6(text, start) : -1;
  }

  private static int ipv4(String text, int start) {
    int[] bytes = new int[4];
    int at = start;
    for (int i = 0; i < 4; i++) {
      int run = Digits.run(text, at);
      boolean leadingZero = run > 1 && text.charAt(at) == '0';
      if (run == 0 || run > 3 || leadingZero) {
        return -1;
      }
      bytes[i] = Digits.value(text, at, at + run);
      at += run;
      if (bytes[i] > 255 || i < 3 && (at == text.length() || text.charAt(at++) != '.')) {
        return -1;
      }
    }
    return Digits.endsAt(text, at) && isPublic(bytes) && !isVersion(text, start, bytes) ? at : -1;
  }

  private static boolean isPublic(int[] b) {
    boolean local = b[0] == 0 || b[0] == 10 || b[0] == 127 || b[0] >= 224;
    boolean shared = b[0] == 100 && b[1] >= 64 && b[1] < 128;
    boolean privateNet = b[0] == 172 && b[1] >= 16 && b[1] < 32 || b[0] == 192 && b[1] == 168;
    boolean reserved =
        b[0] == 169 && b[1] == 254
            || b[0] == 192 && b[1] == 0 && (b[2] == 0 || b[2] == 2)
            || b[0] == 198 && (b[1] == 18 || b[1] == 19 || b[1] == 51 && b[2] == 100)
            || b[0] == 203 && b[1] == 0 && b[2] == 113;
    return !(local || shared || privateNet || reserved);
  }

  /**
   * Numbers of versions and chapters have the same form. They are small, or a word or sign before
   * them tells; of addresses, one in 250 is as small.
   */
  private static boolean isVersion(String text, int start, int[] b) {
    boolean small = b[0] < 64 && b[1] < 64 && b[2] < 64 && b[3] < 64;
    if (small && !(b[0] == b[1] && b[2] == b[3])) { // 8.8.8.8 and 8.8.4.4 are addresses
      return true;
    }
    if (start > 0 && "/-".indexOf(text.charAt(start - 1)) >= 0) {
      return !text.startsWith("//", start - 2);
    }
    int end = start;
    while (end > 0 && start - end < 3 && " :：(（".indexOf(text.charAt(end - 1)) >= 0) {
      end--;
    }
    for (String word : VERSION_WORDS) {
      int at = end - word.length();
      boolean whole =
          at <= 0 || !Digits.isLetter(text.charAt(at)) || !Digits.isLetter(text.charAt(at - 1));
      if (text.regionMatches(true, at, word, 0, word.length()) && whole) {
        return true;
      }
    }
    return false;
  }

  /** Global unicast alone (2000::/3, RFC 4291) without the documentation prefix (RFC 3849). */
  private static int ipv6(String text, int start) {
    int groups = 0;
    boolean shortened = false;
    int at = start;
    while (at < text.length() && at - start < MAX_IPV6) {
      int digits = 0;
      while (digits < 5 && at + digits < text.length() && isHex(text.charAt(at + digits))) {
        digits++;
      }
      if (digits > 4) {
        return -1;
      }
      groups++;
      at += digits;
      if (at >= text.length() || text.charAt(at) != ':') {
        break;
      }
      boolean twice = text.startsWith("::", at);
      if (!twice && (at + 1 >= text.length() || !isHex(text.charAt(at + 1)))) {
        break;
      }
      if (twice && shortened) {
        return -1;
      }
      shortened |= twice;
      at += twice ? 2 : 1;
      if (twice && (at >= text.length() || !isHex(text.charAt(at)))) {
        break;
      }
    }
    boolean complete = shortened ? groups >= 3 && groups <= 7 : groups == 8;
    boolean documentation = text.regionMatches(true, start, "2001:db8:", 0, 9);
    return complete && !documentation && Digits.endsAt(text, at) ? at : -1;
  }

  private static boolean isHex(char c) {
    return Digits.isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F';
  }
}
