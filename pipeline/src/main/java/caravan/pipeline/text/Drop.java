package caravan.pipeline.text;

/**
 * Why a document goes.
 *
 * @param reason a name such as {@code too_short}: lower case, digits and underscores
 * @param detail what was measured and what was wanted: {@code 12 code points, minimum 50}
 */
public record Drop(String reason, String detail) {
  public Drop {
    if (!isName(reason)) {
      throw new IllegalArgumentException(
          "drop reason: got " + reason + ", wanted lower-case letters, digits and underscores");
    }
  }

  private static boolean isName(String reason) {
    return !reason.isEmpty()
        && reason.chars().allMatch(c -> c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_');
  }
}
