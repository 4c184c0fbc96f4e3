package caravan.pipeline.text;

import java.io.Serializable;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Replaces personal data by a mark that says what stood there. It finds what has the form of such
 * data and passes its checks (digits, prefixes, dates): names and postal addresses stay. Each text
 * is scanned once; numbers are tried only where one starts and only where their length fits.
 */
public final class PiiMasker implements Serializable {

  /** What can be masked. */
  public enum Kind {
    EMAIL("<EMAIL>"),
    /** IPv4 and IPv6, public ones alone, as FineWeb does. */
    IP_ADDRESS("<IP_ADDRESS>"),
    /** Chinese mobile numbers. */
    PHONE("<PHONE>"),
    /** Chinese numbers with an area code, 400 and 800 numbers. */
    LANDLINE("<PHONE>"),
    /** Chinese identity cards with a valid date and check digit. */
    IDENTITY_CARD("<IDENTITY_CARD>"),
    /** Cards of the large networks with a valid check digit. */
    BANK_CARD("<BANK_CARD>");

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

  private final Set<Kind> kinds;
  private final boolean email;

  public PiiMasker(List<Kind> kinds) {
    this.kinds = kinds.isEmpty() ? EnumSet.noneOf(Kind.class) : EnumSet.copyOf(kinds);
    this.email = this.kinds.contains(Kind.EMAIL);
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
      int length = text.length();
      for (int i = 0; i < length; ) {
        char c = text.charAt(i);
        if (c > '@' || c < '0' || c > '9' && c != '@') {
          i++;
        } else if (c == '@') {
          email(i);
          i = Math.max(i + 1, copied);
        } else {
          int run = Digits.run(text, i);
          if (!Digits.continuesNumber(text, i - 1)) {
            number(i, run);
          }
          i = Math.max(i + run, copied);
        }
      }
      return new Masked(copied == 0 ? text : out.append(text, copied, length).toString(), removed);
    }

    private void email(int at) {
      int start = email ? EmailAddress.start(text, at, copied) : at;
      int end = start < at ? EmailAddress.end(text, at) : -1;
      if (end > 0) {
        replace(Kind.EMAIL, start, end);
      }
    }

    private void number(int start, int run) {
      boolean done =
          tried(Kind.IDENTITY_CARD, start, IdentityCard.end(text, start, run))
              || tried(Kind.PHONE, start, PhoneNumber.mobileEnd(text, start, run))
              || tried(Kind.BANK_CARD, start, BankCard.end(text, start, run))
              || tried(Kind.LANDLINE, start, PhoneNumber.landlineEnd(text, start, run))
              || tried(Kind.IP_ADDRESS, start, IpAddress.end(text, start, run));
    }

    /** Whether a number of a kind that is masked lies there. */
    private boolean tried(Kind kind, int start, int end) {
      if (end < 0 || !kinds.contains(kind)) {
        return false;
      }
      boolean phone = kind == Kind.PHONE || kind == Kind.LANDLINE;
      replace(kind, phone ? PhoneNumber.start(text, start, copied) : start, end);
      return true;
    }

    private void replace(Kind kind, int start, int end) {
      out.append(text, copied, start).append(kind.mark());
      removed.merge(kind.edit(), (long) (end - start - kind.mark().length()), Long::sum);
      copied = end;
    }
  }
}
