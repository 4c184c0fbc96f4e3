package caravan.pipeline.text;

/**
 * Numbers of bank cards: in one piece, in fours, or in American Express's 4-6-5; prefix and length
 * of a large network (ISO/IEC 7812 ranges of UnionPay and its older Chinese cards, Visa,
 * Mastercard, American Express, Discover, JCB, Diners Club); Luhn's check digit.
 */
final class BankCard {
  private static final int[][] IN_FOURS = {
    {4, 4, 4, 4}, {4, 4, 4, 4, 1}, {4, 4, 4, 4, 2}, {4, 4, 4, 4, 3}, {4, 6, 5}, {4, 6, 4}
  };

  private BankCard() {}

  /** Where the number ends that starts with {@code run} digits at {@code start}; -1 for none. */
  static int end(String text, int start, int run) {
    if (run >= 14 && run <= 19) {
      return isCard(text, start, start + run, run) ? start + run : -1;
    }
    if (run != 4 || start + 14 > text.length()) {
      return -1;
    }
    char separator = text.charAt(start + 4);
    if (separator != ' ' && separator != '-') {
      return -1;
    }
    for (int[] groups : IN_FOURS) {
      int end = Digits.groups(text, start, separator, groups);
      if (end > 0 && isCard(text, start, end, end - start - groups.length + 1)) {
        boolean more = end < text.length() && text.charAt(end) == separator;
        return more && Digits.isDigitAt(text, end + 1) ? -1 : end;
      }
    }
    return -1;
  }

  private static boolean isCard(String text, int start, int end, int digits) {
    return Digits.endsAt(text, end)
        && isIssued(Digits.value(text, start, start + 4), digits)
        && hasCheckDigit(text, start, end);
  }

  /**
   * @param prefix the first four digits
   */
  private static boolean isIssued(int prefix, int digits) {
    int two = prefix / 100;
    boolean long16 = digits >= 16;
    return two == 62 && long16
        || (prefix == 9558 || prefix == 9559) && long16
        || prefix / 1000 == 4 && (digits == 16 || digits == 19)
        || (two >= 51 && two <= 55 || prefix >= 2221 && prefix <= 2720) && digits == 16
        || (two == 34 || two == 37) && digits == 15
        || (prefix == 6011 || prefix / 10 >= 644 && prefix / 10 <= 659) && long16
        || prefix >= 3528 && prefix <= 3589 && long16
        || (prefix / 10 >= 300 && prefix / 10 <= 305 || two == 36 || two == 38 || two == 39)
            && digits == 14;
  }

  /** Luhn's check digit, and not one digit all along. */
  private static boolean hasCheckDigit(String text, int start, int end) {
    int sum = 0;
    boolean doubled = false;
    boolean varied = false;
    for (int i = end - 1; i >= start; i--) {
      if (Digits.isDigitAt(text, i)) {
        int digit = Digits.digit(text, i) * (doubled ? 2 : 1);
        sum += digit / 10 + digit % 10;
        doubled = !doubled;
        varied |= text.charAt(i) != text.charAt(start);
      }
    }
    return sum % 10 == 0 && varied;
  }
}
