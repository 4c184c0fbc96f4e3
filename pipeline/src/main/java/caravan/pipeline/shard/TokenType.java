package caravan.pipeline.shard;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** How a token id lies in a shard: little-endian, unsigned, nothing around it. */
public enum TokenType {
  UINT16(2),
  UINT32(4);

  private static final int UINT16_IDS = 1 << 16;

  private final int bytes;

  TokenType(int bytes) {
    this.bytes = bytes;
  }

  /** The narrowest type that holds every id of a vocabulary. */
  public static TokenType forVocabulary(int vocabSize) {
    return vocabSize <= UINT16_IDS ? UINT16 : UINT32;
  }

  /** The type named {@code uint16} or {@code uint32}. */
  public static TokenType of(String name) {
    for (TokenType type : values()) if (type.toString().equals(name)) return type;
    throw new IllegalArgumentException("dtype '" + name + "', known are uint16 and uint32");
  }

  /** Bytes of one token. */
  public int bytes() {
    return bytes;
  }

  /** Writes one id into {@code target} at a byte position. */
  public void put(byte[] target, int position, int id) {
    for (int i = 0; i < bytes; i++) target[position + i] = (byte) (id >>> (8 * i));
  }

  @JsonValue
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
