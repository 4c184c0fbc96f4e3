package caravan.pipeline.text;

/** Numbers of Chinese identity cards (GB 11643-1999): region, date of birth, order, check digit. */
final class IdentityCard {
  private static final int[] WEIGHTS = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  private static final String CHECK_DIGITS = "10X98765432";
  private static final int[] DAYS = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

  private IdentityCard() {}

  /** Where the number ends that starts with {@code run} digits at {@code start}; -1 for none. */
  static int end(String text, int start, int run) {
    if (run != 17 && run != 18) {
      return -1;
    }
    int end = start + 18;
    boolean valid =
        end <= text.length()
            && "12345689".indexOf(text.charAt(start)) >= 0
            && Digits.endsAt(text, end)
            && hasDate(text, start + 6)
            && hasCheckDigit(text, start);
    return valid ? end : -1;
  }

  private static boolean hasDate(String text, int at) {
    int year = Digits.value(text, at, at + 4);
    int month = Digits.value(text, at + 4, at + 6);
    int day = Digits.value(text, at + 6, at + 8);
    return year >= 1850
        && year <= 2099
        && month >= 1
        && month <= 12
        && day >= 1
        && day <= DAYS[month - 1];
  }

  /** ISO 7064 MOD 11-2. */
  private static boolean hasCheckDigit(String text, int start) {
    int sum = 0;
    for (int i = 0; i < WEIGHTS.length; i++) {
      sum += WEIGHTS[i] * Digits.digit(text, start + i);
    }
    return CHECK_DIGITS.charAt(sum % 11) == Character.toUpperCase(text.charAt(start + 17));
  }
}
