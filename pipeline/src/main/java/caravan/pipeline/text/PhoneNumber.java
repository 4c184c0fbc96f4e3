package caravan.pipeline.text;

/** Chinese telephone numbers. */
final class PhoneNumber {
  private static final char[] SEPARATORS = {' ', '-'};

  /** Last chars of 电话, 热线, 客服, 手机, 咨询, 致电, 传真, 座机, 专线, 联系, Tel, phone, fax, call. */
  private static final String ANNOUNCING = "话線线服机询电真系lexEL";

  private PhoneNumber() {}

  /** With the country code's plus and an opening parenthesis, which belong to the number. */
  static int start(String text, int start, int floor) {
    int at = start;
    if (at > floor && "(（".indexOf(text.charAt(at - 1)) >= 0 && text.charAt(start) == '0') {
      at--;
    }
    return at > floor && text.charAt(at - 1) == '+' ? at - 1 : at;
  }

  /** Where the mobile number ends that starts with {@code run} digits; -1 for none. */
  static int mobileEnd(String text, int start, int run) {
    int number = start;
    if (run == 13 && text.startsWith("86", start)) {
      number += 2;
    } else if (run == 2 && text.startsWith("86", start)
        || run == 4 && text.startsWith("0086", start)) {
      number += run;
      number += number < text.length() && " -)".indexOf(text.charAt(number)) >= 0 ? 1 : 0;
    } else if (run != 11 && run != 3) {
      return -1;
    }
    if (!isMobilePrefix(text, number)) {
      return -1;
    }
    int end = Digits.groups(text, number, (char) 0, 11);
    for (char separator : SEPARATORS) {
      end = end > 0 ? end : Digits.groups(text, number, separator, 3, 4, 4);
    }
    return end > 0 && Digits.endsAt(text, end) ? end : -1;
  }

  /** Prefixes that the ministry has given to networks. */
  private static boolean isMobilePrefix(String text, int at) {
    if (at + 11 > text.length() || text.charAt(at) != '1' || !Digits.isDigitAt(text, at + 2)) {
      return false;
    }
    char third = text.charAt(at + 2);
    return switch (text.charAt(at + 1)) {
      case '3', '8' -> true;
      case '4' -> third >= '5';
      case '5' -> third != '4';
      case '6' -> third == '2' || third >= '5' && third <= '7';
      case '7' -> third != '9';
      case '9' -> third != '4';
      default -> false;
    };
  }

  /**
   * Where the landline number ends that starts with {@code run} digits; -1 for none. In one piece
   * it counts only after a word such as 电话.
   */
  static int landlineEnd(String text, int start, int run) {
    if (run < 2 || run > 12) {
      return -1;
    }
    int area = start;
    if ((text.startsWith("86-", start) || text.startsWith("86 ", start)) && run == 2) {
      return withArea(text, start + 3, Digits.run(text, start + 3), 0);
    }
    if (run == 3 && (text.startsWith("400", start) || text.startsWith("800", start))) {
      return tollFree(text, start);
    }
    if (text.charAt(start) == '0' && run <= 4) {
      return withArea(text, area + 1, run - 1, 1);
    }
    boolean plausible =
        run == 10 && (text.startsWith("400", start) || text.startsWith("800", start))
            || run >= 11
                && text.charAt(start) == '0'
                && isArea(text, start + 1, areaDigits(text, start + 1));
    return plausible && isAnnounced(text, start) && Digits.endsAt(text, start + run)
        ? start + run
        : -1;
  }

  private static int areaDigits(String text, int at) {
    return text.charAt(at) <= '2' ? 2 : 3;
  }

  /** Area codes without their zero: 10, 20 to 29, three digits from 3 to 9. */
  private static boolean isArea(String text, int at, int digits) {
    if (digits == 2) {
      return text.startsWith("10", at) || text.charAt(at) == '2';
    }
    return digits == 3 && text.charAt(at) >= '3';
  }

  /**
   * @param area the code without its zero
   * @param zero 1 when a zero stands before it, which may stand in parentheses
   */
  private static int withArea(String text, int area, int digits, int zero) {
    if (!(digits == 2 || digits == 3) || !isArea(text, area, digits)) {
      return -1;
    }
    int at = area + digits;
    boolean parentheses =
        zero == 1
            && area >= 2
            && at < text.length()
            && "(（".indexOf(text.charAt(area - 2)) >= 0
            && ")）".indexOf(text.charAt(at)) >= 0;
    if (at + 1 >= text.length() || !parentheses && " -".indexOf(text.charAt(at)) < 0) {
      return -1;
    }
    at += parentheses && " -".indexOf(text.charAt(at + 1)) >= 0 ? 2 : 1;
    int end = local(text, at, digits == 2);
    return end < 0 ? -1 : withExtension(text, end);
  }

  /** Seven or eight digits, the first from 2 to 8; large cities have eight. */
  private static int local(String text, int at, boolean eight) {
    if (at >= text.length() || text.charAt(at) < '2' || text.charAt(at) > '8') {
      return -1;
    }
    int end = Digits.groups(text, at, (char) 0, 8);
    end = end > 0 || eight ? end : Digits.groups(text, at, (char) 0, 7);
    for (char separator : SEPARATORS) {
      end = end > 0 ? end : Digits.groups(text, at, separator, 4, 4);
      end = end > 0 || eight ? end : Digits.groups(text, at, separator, 3, 4);
    }
    return end;
  }

  private static int withExtension(String text, int end) {
    if (end < text.length() && "-转轉".indexOf(text.charAt(end)) >= 0) {
      int extension = Digits.run(text, end + 1);
      if (extension >= 1 && extension <= 6) {
        return end + 1 + extension;
      }
    }
    return Digits.endsAt(text, end) ? end : -1;
  }

  private static int tollFree(String text, int start) {
    int end = -1;
    for (char separator : SEPARATORS) {
      end = end > 0 ? end : Digits.groups(text, start, separator, 3, 3, 4);
      end = end > 0 ? end : Digits.groups(text, start, separator, 3, 4, 3);
      end = end > 0 ? end : Digits.groups(text, start, separator, 3, 7);
    }
    return end > 0 && Digits.endsAt(text, end) ? end : -1;
  }

  private static boolean isAnnounced(String text, int start) {
    int at = start;
    while (at > 0 && start - at < 3 && " :：是为．.".indexOf(text.charAt(at - 1)) >= 0) {
      at--;
    }
    return at > 0 && ANNOUNCING.indexOf(text.charAt(at - 1)) >= 0;
  }
}
