package caravan.pipeline.tokenize;

import java.io.Serializable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A byte-level BPE vocabulary in GPT-2's spelling, where each byte is one printable character (a
 * space is {@code Ġ}): what tokenizer.json and GGUF hold.
 *
 * @param tokens by id; null for an id without one
 * @param merges pairs in their order, the two parts separated by one space; none: any two tokens
 *     merge whose join is a token, lowest id first, as in tiktoken
 * @param ignoresMerges whether a word that is a token becomes it at once, whatever the merges say
 * @param added tokens that are found in the text before it is cut into words
 * @param normalizesNfc whether a text is brought to Unicode's composed form first
 * @param bosId opens a document, or -1
 * @param eosId ends a document, or -1
 * @param unkId stands for a byte that the vocabulary lacks, or -1
 */
public record ByteLevelVocabulary(
    List<String> tokens,
    List<String> merges,
    PreTokenizer preTokenizer,
    boolean ignoresMerges,
    List<Added> added,
    boolean normalizesNfc,
    int bosId,
    int eosId,
    int unkId)
    implements Serializable {

  /**
   * @param text as it stands in a document
   * @param special whether decoding leaves it out
   */
  public record Added(int id, String text, boolean special) implements Serializable {}

  /** The characters that GPT-2 writes bytes as, by byte. */
  private static final char[] CHARACTERS = new char[256];

  private static final Map<Character, Byte> BYTES = new HashMap<>();

  static {
    char next = 256;
    for (int value = 0; value < 256; value++) {
      boolean printable = value >= '!' && value <= '~' || value >= 0xA1 && value != 0xAD;
      CHARACTERS[value] = printable ? (char) value : next++;
      BYTES.put(CHARACTERS[value], (byte) value);
    }
  }

  /** The character that stands for a byte. */
  static char character(int value) {
    return CHARACTERS[value & 0xFF];
  }

  /** Bytes in GPT-2's spelling. */
  static String spelled(byte[] bytes) {
    char[] chars = new char[bytes.length];
    for (int i = 0; i < bytes.length; i++) chars[i] = character(bytes[i]);
    return new String(chars);
  }

  /** The bytes that a token is spelled as; null where a character stands for none. */
  static byte[] bytes(String token) {
    byte[] bytes = new byte[token.length()];
    for (int i = 0; i < bytes.length; i++) {
      Byte value = BYTES.get(token.charAt(i));
      if (value == null) return null;
      bytes[i] = value;
    }
    return bytes;
  }
}
