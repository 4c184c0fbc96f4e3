package caravan.pipeline.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;

/**
 * Repairs text that was decoded by the wrong encoding, where the way back is exact and its result
 * certain:
 *
 * <ul>
 *   <li><b>UTF-8 read as windows-1252 or Latin-1</b>, once or several times ({@code â€™}, {@code ä½
 *       å¥½}). A group of chars whose bytes are valid UTF-8 is certain when no writing has it:
 *       three sequences in a row; two of three bytes or more; quotes, dashes, Chinese punctuation,
 *       currency signs or emoji alone; {@code Ã} or {@code Â} with a sign after a lower-case letter
 *       ({@code cafÃ©}). Groups that merely may be wrong follow only in texts that have certain
 *       ones and not one char of these ranges that is none.
 *   <li><b>UTF-8 read as GBK</b> ({@code 浣犲ソ锛}) and <b>GBK read as Latin-1</b> ({@code ÄãºÃ£¬}):
 *       only if all of the text's non-ASCII chars, without exception, go back and forth, and give
 *       four or more Chinese characters, nearly all of the 3,755 of GB 2312's first level, a fifth
 *       of them among the most frequent, where the text as it stood had fewer.
 * </ul>
 *
 * What lost bytes on the way (question marks, replacement characters) stays as it is.
 */
final class Mojibake {
  /** Bytes 0x80 to 0x9F of windows-1252; undefined ones are Latin-1's control characters. */
  private static final String WINDOWS_1252 =
      "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ";

  private static final Charset GBK = Charset.forName("GBK");

  /** The most frequent characters of Chinese, of general text. */
  private static final String FREQUENT =
      "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过"
          + "发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但"
          + "因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应"
          + "战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原"
          + "东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再"
          + "感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放"
          + "强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识";

  private Mojibake() {}

  /** The byte that windows-1252 or Latin-1 reads as this char; -1 for chars of neither. */
  static int byteOf(char c) {
    if (c <= 0xFF) {
      return c;
    }
    int at = c >= 0x0152 && c <= 0x2122 ? WINDOWS_1252.indexOf(c) : -1;
    return at < 0 ? -1 : 0x80 + at;
  }

  /** Every char that stands at the start of a Chinese character's UTF-8 bytes read as GBK. */
  static String utf8LeadsReadAsGbk() {
    StringBuilder leads = new StringBuilder("锛銆");
    for (int first = 0xE4; first <= 0xE9; first++) {
      for (int second = 0x80; second <= 0xBF; second++) {
        char c = new String(new byte[] {(byte) first, (byte) second}, GBK).charAt(0);
        if (c >= 0x4E00 && c <= 0x9FFF) {
          leads.append(c);
        }
      }
    }
    return leads.toString();
  }

  /** Such chars are a third of broken text, and rare in any other. */
  static boolean mayBeGbk(String text, int leads) {
    return leads * 6L >= text.chars().filter(c -> c >= 0x80).count();
  }

  /** The text itself when nothing in it is certainly broken. */
  static String repair(String text) {
    String repaired = text;
    for (String next = once(repaired); !next.equals(repaired); next = once(repaired)) {
      repaired = next;
    }
    return repaired;
  }

  private static String once(String text) {
    String repaired = new Utf8ReadAsLatin(text).repair();
    if (!repaired.equals(text)) {
      return repaired;
    }
    String fromGbk = better(text, decodedAsUtf8(text));
    return fromGbk.equals(text) ? better(text, decodedAsGbk(text)) : fromGbk;
  }

  private static String better(String text, String candidate) {
    if (candidate.equals(text)) {
      return text;
    }
    Chinese now = Chinese.of(text);
    Chinese then = Chinese.of(candidate);
    boolean certain =
        then.han >= 4
            && then.rare <= 0.05 * then.han
            && then.frequent >= 0.2 * then.han
            && then.foreign == 0
            && then.frequent * (long) Math.max(now.han, 1) > now.frequent * (long) then.han;
    return certain ? candidate : text;
  }

  /** The text's GBK bytes read as UTF-8; the text itself when either fails. */
  private static String decodedAsUtf8(String text) {
    try {
      ByteBuffer bytes = GBK.newEncoder().encode(CharBuffer.wrap(text));
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      return text; // not written this way: nothing to repair
    }
  }

  /** The text's Latin-1 bytes read as GBK; the text itself when either fails. */
  private static String decodedAsGbk(String text) {
    byte[] bytes = new byte[text.length()];
    for (int i = 0; i < bytes.length; i++) {
      int b = byteOf(text.charAt(i));
      if (b < 0) {
        return text;
      }
      bytes[i] = (byte) b;
    }
    try {
      return GBK.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      return text; // not written this way: nothing to repair
    }
  }

  /**
   * How Chinese a text is.
   *
   * @param han Chinese characters
   * @param frequent those of the most frequent
   * @param rare those outside of GB 2312's first level
   * @param foreign chars that are neither ASCII, Chinese characters nor their punctuation
   */
  private record Chinese(int han, int frequent, int rare, int foreign) {
    static Chinese of(String text) {
      int han = 0;
      int frequent = 0;
      int rare = 0;
      int foreign = 0;
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        if (Scripts.isHan(c)) {
          han++;
          frequent += FREQUENT.indexOf(c) >= 0 ? 1 : 0;
          rare += isFirstLevel(c) ? 0 : 1;
        } else if (c >= 0x80 && !isPunctuation(c)) {
          foreign++;
        }
      }
      return new Chinese(han, frequent, rare, foreign);
    }

    private static boolean isFirstLevel(char c) {
      byte[] bytes = String.valueOf(c).getBytes(GBK);
      return bytes.length == 2
          && (bytes[0] & 0xFF) >= 0xB0
          && (bytes[0] & 0xFF) <= 0xD7
          && (bytes[1] & 0xFF) >= 0xA1;
    }

    private static boolean isPunctuation(char c) {
      return c >= 0x2010 && c <= 0x203B
          || c >= 0x3000 && c <= 0x301F
          || c >= 0xFF01 && c <= 0xFF5E
          || c == '·'
          || c == '￥';
    }
  }
}
