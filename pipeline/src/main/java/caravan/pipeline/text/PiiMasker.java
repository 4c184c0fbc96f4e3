package caravan.pipeline.text;

import java.io.Serializable;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Replaces personal data by a mark that says what stood there: e-mail addresses, public IPv4
 * addresses (as FineWeb does), Chinese mobile numbers, Chinese identity card numbers with a valid
 * date and check digit. It finds what has such a form and nothing else: names and postal addresses
 * stay.
 */
public final class PiiMasker implements Serializable {

  /** What can be masked. */
  public enum Kind {
    EMAIL("<EMAIL>"),
    IP_ADDRESS("<IP_ADDRESS>"),
    PHONE("<PHONE>"),
    IDENTITY_CARD("<IDENTITY_CARD>");

    private final String mark;

    Kind(String mark) {
      this.mark = mark;
    }

    /** What stands in the text instead. */
    public String mark() {
      return mark;
    }

    /** Edit reason: {@code pii_email} … */
    public String edit() {
      return "pii_" + name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * @param text with marks
   * @param removed code points taken away per edit, less those of the marks: may be negative
   */
  public record Masked(String text, Map<String, Long> removed) {}

  // Every pattern is bounded and tried only where a number starts, so that no text is slow.
  private static final Pattern PHONE =
      Pattern.compile("(?:86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}(?![0-9A-Za-z])");
  private static final Pattern IDENTITY_CARD =
      Pattern.compile(
          "[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
              + "[0-9]{3}[0-9Xx](?![0-9A-Za-z])");
  private static final Pattern IPV4 =
      Pattern.compile(
          "([0-9]{1,3})\\.([0-9]{1,3})\\.([0-9]{1,3})\\.([0-9]{1,3})(?![0-9A-Za-z]|\\.[0-9])");
  private static final Pattern DOMAIN =
      Pattern.compile(
          "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])");

  /** Longest local part of an address (RFC 5321, section 4.5.3.1.1). */
  private static final int MAX_LOCAL_PART = 64;

  private static final int LONGEST_NUMBER = 24;
  private static final int LONGEST_DOMAIN = 256;
  private static final int[] WEIGHTS = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  private static final String CHECK_DIGITS = "10X98765432";

  private final Set<Kind> kinds;

  public PiiMasker(List<Kind> kinds) {
    this.kinds = kinds.isEmpty() ? EnumSet.noneOf(Kind.class) : EnumSet.copyOf(kinds);
  }

  public Masked mask(String text) {
    return new Masking(text).run();
  }

  /** One pass over one text. */
  private final class Masking {
    private final String text;
    private final StringBuilder out = new StringBuilder();
    private final Map<String, Long> removed = new TreeMap<>();
    private int copied;

    Masking(String text) {
      this.text = text;
    }

    Masked run() {
      for (int i = 0; i < text.length(); ) {
        char c = text.charAt(i);
        if (c == '@' && kinds.contains(Kind.EMAIL)) {
          email(i);
        } else if (isDigit(c) && (i == 0 || !continuesNumber(text.charAt(i - 1)))) {
          number(i);
        }
        i = Math.max(i + 1, copied);
      }
      return new Masked(
          copied == 0 ? text : out.append(text, copied, text.length()).toString(), removed);
    }

    private void email(int at) {
      int start = at;
      while (start > copied && at - start < MAX_LOCAL_PART && isLocal(text.charAt(start - 1))) {
        start--;
      }
      Matcher domain = matcher(DOMAIN, at + 1, LONGEST_DOMAIN);
      if (start < at && domain.lookingAt()) {
        replace(Kind.EMAIL, start, domain.end());
      }
    }

    private void number(int start) {
      Matcher card = matcher(IDENTITY_CARD, start, LONGEST_NUMBER);
      if (kinds.contains(Kind.IDENTITY_CARD)
          && card.lookingAt()
          && hasCheckDigit(text.substring(start, card.end()))) {
        replace(Kind.IDENTITY_CARD, start, card.end());
        return;
      }
      Matcher phone = matcher(PHONE, start, LONGEST_NUMBER);
      if (kinds.contains(Kind.PHONE) && phone.lookingAt()) {
        boolean plus = start > copied && text.charAt(start - 1) == '+';
        replace(Kind.PHONE, plus ? start - 1 : start, phone.end());
        return;
      }
      Matcher ip = matcher(IPV4, start, LONGEST_NUMBER);
      if (kinds.contains(Kind.IP_ADDRESS) && ip.lookingAt() && isPublic(ip)) {
        replace(Kind.IP_ADDRESS, start, ip.end());
      }
    }

    private Matcher matcher(Pattern pattern, int from, int length) {
      return pattern
          .matcher(text)
          .useTransparentBounds(true)
          .region(from, Math.min(text.length(), from + length));
    }

    private void replace(Kind kind, int start, int end) {
      out.append(text, copied, start).append(kind.mark());
      removed.merge(kind.edit(), (long) (end - start - kind.mark().length()), Long::sum);
      copied = end;
    }
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static boolean isAsciiLetter(char c) {
    return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
  }

  /** Whether a number cannot start after this character: it is inside a longer one or a name. */
  private static boolean continuesNumber(char c) {
    return isDigit(c) || isAsciiLetter(c) || c == '.' || c == '_';
  }

  private static boolean isLocal(char c) {
    return isDigit(c) || isAsciiLetter(c) || "._%+-".indexOf(c) >= 0;
  }

  /** GB 11643-1999: ISO 7064 MOD 11-2. */
  private static boolean hasCheckDigit(String number) {
    int sum = 0;
    for (int i = 0; i < WEIGHTS.length; i++) {
      sum += WEIGHTS[i] * (number.charAt(i) - '0');
    }
    return CHECK_DIGITS.charAt(sum % 11) == Character.toUpperCase(number.charAt(17));
  }

  /** Neither private nor reserved (RFC 6890), and four bytes. */
  private static boolean isPublic(Matcher ip) {
    int[] b = new int[4];
    for (int i = 0; i < 4; i++) {
      b[i] = Integer.parseInt(ip.group(i + 1));
      if (b[i] > 255) {
        return false;
      }
    }
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
}
