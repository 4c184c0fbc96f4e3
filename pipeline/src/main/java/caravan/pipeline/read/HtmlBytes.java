package caravan.pipeline.read;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A page's bytes as text, in the character set that its byte order mark, its transport or its own
 * declaration names, in this order (the HTML standard's), or else in UTF-8. A page that is not in
 * it, such as one that was converted and still names its old character set, is UTF-8 if it can be;
 * or GB18030 or Big5, when its bytes are almost only characters that are common in them.
 *
 * <p>One wrong byte in a thousand characters is let pass as U+FFFD: pages cut a character in two
 * where they shorten a title.
 */
final class HtmlBytes {
  /**
   * @param text null when the bytes are of no character set that was tried
   * @param charset of the text, or the one that was named
   */
  record Decoded(String text, Charset charset) {}

  private static final Pattern DECLARED =
      Pattern.compile(
          "<(?:meta|\\?xml)[^>]{0,300}?(?:charset|encoding)\\s{0,9}=\\s{0,9}[\"']?\\s{0,9}([A-Za-z0-9_:.-]+)",
          Pattern.CASE_INSENSITIVE);

  /** Where a declaration is looked for, in bytes; the standard's 1,024 miss many pages. */
  private static final int PRESCAN = 4096;

  private static final Charset LATIN = Charset.forName("windows-1252");

  private static final int WRONG_PER = 1_000;

  /** Share of the double bytes that must be common characters of a guessed character set. */
  private static final double COMMON = 0.9;

  private HtmlBytes() {}

  /**
   * @param transport character set that an HTTP header names; empty for none
   */
  static Decoded decode(byte[] bytes, String transport) {
    Optional<Charset> mark = byteOrderMark(bytes);
    if (mark.isPresent()) {
      int length = mark.get().equals(StandardCharsets.UTF_8) ? 3 : 2;
      byte[] rest = Arrays.copyOfRange(bytes, length, bytes.length);
      return new Decoded(lenient(rest, mark.get()), mark.get());
    }
    // Servers name Latin-1 for every file they know nothing of.
    Optional<Charset> named =
        named(transport)
            .filter(c -> !c.equals(LATIN))
            .or(() -> declared(bytes))
            .or(() -> named(transport));
    Charset charset = named.orElse(StandardCharsets.UTF_8);
    String text = lenient(bytes, charset);
    if (text != null) {
      return new Decoded(text, charset);
    }
    Optional<Charset> guess =
        Records.utf8(bytes).isPresent() ? Optional.of(StandardCharsets.UTF_8) : chinese(bytes);
    return guess
        .map(right -> new Decoded(lenient(bytes, right), right))
        .filter(decoded -> decoded.text() != null)
        .orElse(new Decoded(null, charset));
  }

  private static Optional<Charset> byteOrderMark(byte[] b) {
    if (b.length >= 3 && (b[0] & 0xFF) == 0xEF && (b[1] & 0xFF) == 0xBB && (b[2] & 0xFF) == 0xBF) {
      return Optional.of(StandardCharsets.UTF_8);
    }
    if (b.length >= 2 && (b[0] & 0xFF) == 0xFE && (b[1] & 0xFF) == 0xFF) {
      return Optional.of(StandardCharsets.UTF_16BE);
    }
    if (b.length >= 2 && (b[0] & 0xFF) == 0xFF && (b[1] & 0xFF) == 0xFE) {
      return Optional.of(StandardCharsets.UTF_16LE);
    }
    return Optional.empty();
  }

  private static Optional<Charset> declared(byte[] page) {
    String head = new String(page, 0, Math.min(PRESCAN, page.length), StandardCharsets.ISO_8859_1);
    Matcher matcher = DECLARED.matcher(head);
    while (matcher.find()) {
      Optional<Charset> charset = named(matcher.group(1));
      if (charset.isPresent()) {
        // A page whose ASCII declaration could be read is no UTF-16.
        return charset
            .filter(c -> !c.name().startsWith("UTF-16"))
            .or(() -> Optional.of(StandardCharsets.UTF_8));
      }
    }
    return Optional.empty();
  }

  /** As browsers take names: of a character set its superset. */
  private static Optional<Charset> named(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    if (lower.isEmpty()) {
      return Optional.empty();
    }
    String known =
        switch (lower) {
          case "gb2312", "gb_2312-80", "gb_2312", "gbk", "x-gbk", "gb18030", "chinese" -> "GB18030";
          case "big5", "big-5", "big5-hkscs", "x-x-big5", "cn-big5" -> "Big5-HKSCS";
          case "iso-8859-1", "latin1", "ascii", "us-ascii" -> "windows-1252";
          case "utf8", "unicode-1-1-utf-8" -> "UTF-8";
          case "shift_jis", "shift-jis", "sjis", "x-sjis" -> "windows-31j";
          default -> lower;
        };
    try {
      return Optional.of(Charset.forName(known));
    } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
      return Optional.empty();
    }
  }

  /** The text with few wrong bytes as U+FFFD; null with more. */
  private static String lenient(byte[] bytes, Charset charset) {
    Optional<String> exact = Records.decode(bytes, charset);
    if (exact.isPresent()) {
      return exact.get();
    }
    try {
      CharBuffer text =
          charset
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPLACE)
              .onUnmappableCharacter(CodingErrorAction.REPLACE)
              .decode(ByteBuffer.wrap(bytes));
      long wrong = text.chars().filter(c -> c == '\uFFFD').count();
      return wrong * WRONG_PER <= text.length() ? text.toString() : null;
    } catch (CharacterCodingException e) {
      throw new IllegalStateException("a decoder that replaces does not fail", e);
    }
  }

  /**
   * GB18030 or Big5 by what is common in each: GB2312's first plane of 3,755 characters, Big5's of
   * 5,401, and punctuation. Big5 text has second bytes below 0x7F, which GB2312 never has.
   */
  private static Optional<Charset> chinese(byte[] bytes) {
    int pairs = 0;
    int gb = 0;
    int big5 = 0;
    for (int i = 0; i + 1 < bytes.length; i++) {
      int first = bytes[i] & 0xFF;
      int second = bytes[i + 1] & 0xFF;
      if (first < 0x80) {
        continue;
      }
      i++;
      pairs++;
      boolean high = second >= 0xA1 && second <= 0xFE;
      gb += high && ((first >= 0xB0 && first <= 0xD7) || (first >= 0xA1 && first <= 0xA3)) ? 1 : 0;
      big5 +=
          (high || (second >= 0x40 && second <= 0x7E)) && first >= 0xA1 && first <= 0xC6 ? 1 : 0;
    }
    if (gb >= COMMON * pairs) {
      return Optional.of(Charset.forName("GB18030"));
    }
    return big5 >= COMMON * pairs ? Optional.of(Charset.forName("Big5-HKSCS")) : Optional.empty();
  }
}
