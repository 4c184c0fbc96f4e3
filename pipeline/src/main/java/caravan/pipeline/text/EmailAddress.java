package caravan.pipeline.text;

import java.util.Locale;
import java.util.Set;

/** E-mail addresses around an {@code @}, with ASCII letters alone. */
final class EmailAddress {
  /** RFC 5321, section 4.5.3.1. */
  private static final int MAX_LOCAL_PART = 64;

  private static final int MAX_LABEL = 63;
  private static final int MAX_LABELS = 9;
  private static final int MAX_TOP_LEVEL = 24;

  /** Ends of file and unit names such as icon@2x.png and getty@tty1.service: no domains. */
  private static final Set<String> FILES =
      Set.of(
          "png",
          "jpg",
          "jpeg",
          "gif",
          "svg",
          "webp",
          "css",
          "js",
          "json",
          "html",
          "htm",
          "txt",
          "xml",
          "service",
          "socket",
          "timer",
          "target",
          "mount",
          "device",
          "path",
          "conf",
          "local",
          "localdomain",
          "localhost",
          "invalid",
          "so",
          "exe",
          "dll",
          "jar");

  private EmailAddress() {}

  /** Where the address starts; {@code at} when nothing before it belongs to one. */
  static int start(String text, int at, int floor) {
    int start = at;
    while (start > floor && at - start < MAX_LOCAL_PART && isLocal(text.charAt(start - 1))) {
      start--;
    }
    while (start < at && !isAlphanumeric(text.charAt(start))) {
      start++;
    }
    return start < at && text.charAt(at - 1) != '.' ? start : at;
  }

  /** Where it ends, after its top-level domain; -1 without a domain. */
  static int end(String text, int at) {
    int end = -1;
    int label = at + 1;
    for (int labels = 1; labels <= MAX_LABELS; labels++) {
      int after = label;
      while (after < text.length() && after - label <= MAX_LABEL && isDomain(text.charAt(after))) {
        after++;
      }
      int length = after - label;
      if (length == 0
          || length > MAX_LABEL
          || text.charAt(label) == '-'
          || text.charAt(after - 1) == '-') {
        return end;
      }
      if (labels > 1 && isTopLevel(text, label, after)) {
        end = after;
      }
      if (after == text.length() || text.charAt(after) != '.') {
        return end == after ? end : -1;
      }
      label = after + 1;
    }
    return end;
  }

  private static boolean isTopLevel(String text, int start, int end) {
    for (int i = start; i < end; i++) {
      if (!Digits.isLetter(text.charAt(i))) {
        return false;
      }
    }
    int length = end - start;
    return length >= 2
        && length <= MAX_TOP_LEVEL
        && !FILES.contains(text.substring(start, end).toLowerCase(Locale.ROOT));
  }

  private static boolean isAlphanumeric(char c) {
    return Digits.isDigit(c) || Digits.isLetter(c);
  }

  private static boolean isLocal(char c) {
    return isAlphanumeric(c) || "._%+-".indexOf(c) >= 0;
  }

  private static boolean isDomain(char c) {
    return isAlphanumeric(c) || c == '-';
  }
}
