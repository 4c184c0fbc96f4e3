package caravan.pipeline.tokenize;

import caravan.pipeline.dedup.TextKey;
import caravan.pipeline.shard.TokenManifest;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * A document on its way from the encoder to its shard: a record in a block of bytes, so that
 * millions of them are few objects wherever Spark holds or moves them.
 *
 * @param block little-endian, as {@link BlockPacker} makes it
 * @param at where the record starts in it
 */
record EncodedDocument(ByteBuffer block, int at) implements Comparable<EncodedDocument> {
  /** In place of a split: the text is one of {@code tokenize.validation-input}; not encoded. */
  static final String IN_VALIDATION = "excluded, in validation";

  /** In place of a split: the text is one of {@code tokenize.test-input}; not encoded. */
  static final String IN_TEST = "excluded, in test";

  /** In place of a split: no document, but a broken record; not encoded. */
  static final String UNREADABLE = "unreadable";

  /** In place of a split: too large, no page, no article; not encoded. */
  static final String PUT_ASIDE = "put aside";

  /** The splits, and what stands in place of one. */
  static final List<String> KINDS =
      List.of(
          TokenManifest.TRAIN,
          TokenManifest.VALIDATION,
          TokenManifest.TEST,
          IN_VALIDATION,
          IN_TEST,
          UNREADABLE,
          PUT_ASIDE);

  /** Buckets that a split's shuffled order is cut into. */
  static final int BUCKETS = 1 << 16;

  private static final int KIND = Integer.BYTES;
  private static final int ORDER = KIND + 1;
  private static final int CONTENT = ORDER + Long.BYTES;
  private static final int TEXT_BYTES = CONTENT + Long.BYTES;
  private static final int SOURCE_BYTES = TEXT_BYTES + Long.BYTES;
  private static final int LANGUAGE_BYTES = SOURCE_BYTES + Integer.BYTES;
  private static final int ID_BYTES = LANGUAGE_BYTES + Integer.BYTES;
  private static final int HEADER_BYTES = ID_BYTES + Integer.BYTES;

  /**
   * What a record begins with; its tokens follow.
   *
   * @param kind one of {@link #KINDS}
   * @param order place in the split, as a signed number
   * @param content the {@link TextKey} of the text
   * @param textBytes of the text in UTF-8
   */
  record Header(
      String kind,
      long order,
      long content,
      long textBytes,
      byte[] source,
      byte[] language,
      byte[] id) {
    static Header of(
        String kind,
        long order,
        long content,
        long textBytes,
        String source,
        String language,
        String id) {
      return new Header(kind, order, content, textBytes, utf8(source), utf8(language), utf8(id));
    }

    private static byte[] utf8(String text) {
      return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Bytes of the whole record. */
    int recordBytes(int tokenBytes) {
      int names = Math.addExact(source.length + language.length, id.length);
      return Math.addExact(HEADER_BYTES + names, tokenBytes);
    }

    /** Writes itself where the block stands, and leaves it where the tokens go. */
    void writeTo(ByteBuffer block, int tokenBytes) {
      block
          .putInt(recordBytes(tokenBytes))
          .put((byte) KINDS.indexOf(kind))
          .putLong(order)
          .putLong(content)
          .putLong(textBytes)
          .putInt(source.length)
          .putInt(language.length)
          .putInt(id.length)
          .put(source)
          .put(language)
          .put(id);
    }
  }

  /** Bytes of the record. */
  int bytes() {
    return block.getInt(at);
  }

  /** One of {@link TokenManifest#SPLITS}, or why there is none. */
  String kind() {
    return KINDS.get(block.get(at + KIND));
  }

  /** Number of the split in {@link TokenManifest#SPLITS}, or a greater one. */
  int split() {
    return block.get(at + KIND);
  }

  /** Whether it has a split. */
  boolean isWritten() {
    return split() < TokenManifest.SPLITS.size();
  }

  /** The place in the split's shuffled order. */
  long order() {
    return block.getLong(at + ORDER);
  }

  int bucket() {
    return bucket(order());
  }

  /** The bucket of a place: its highest 16 bits. */
  static int bucket(long order) {
    return (int) ((order ^ Long.MIN_VALUE) >>> 48);
  }

  /** The {@link TextKey} of its text. */
  long content() {
    return block.getLong(at + CONTENT);
  }

  /** Bytes of its text in UTF-8. */
  long textBytes() {
    return block.getLong(at + TEXT_BYTES);
  }

  String source() {
    return text(at + HEADER_BYTES, sourceBytes());
  }

  String language() {
    return text(at + HEADER_BYTES + sourceBytes(), languageBytes());
  }

  String id() {
    return text(idFrom(), idBytes());
  }

  /** Whether kind, source and language are another record's. */
  boolean isOfGroup(EncodedDocument other) {
    int from = at + HEADER_BYTES;
    int otherFrom = other.at + HEADER_BYTES;
    return split() == other.split()
        && sourceBytes() == other.sourceBytes()
        && languageBytes() == other.languageBytes()
        && Arrays.equals(
            block.array(),
            from,
            from + sourceBytes() + languageBytes(),
            other.block.array(),
            otherFrom,
            otherFrom + sourceBytes() + languageBytes());
  }

  /** Where its ids start in the block, as they lie in a shard. */
  int tokensFrom() {
    return idFrom() + idBytes();
  }

  /** Bytes of its ids, BOS and EOS included. */
  int tokenBytes() {
    return at + bytes() - tokensFrom();
  }

  /** Copies the record into a block, at another place in the order. */
  void copyTo(ByteBuffer target, long otherOrder) {
    int start = target.position();
    target.put(block.array(), at, bytes()).putLong(start + ORDER, otherOrder);
  }

  /** By place in the order; equal ones by source, id, text and ids, to the last byte. */
  @Override
  public int compareTo(EncodedDocument other) {
    int order = Long.compare(order(), other.order());
    if (order != 0) return order;
    int from = at + HEADER_BYTES;
    int otherFrom = other.at + HEADER_BYTES;
    order = compareBytes(from, sourceBytes(), other, otherFrom, other.sourceBytes());
    if (order != 0) return order;
    order = compareBytes(idFrom(), idBytes(), other, other.idFrom(), other.idBytes());
    if (order != 0) return order;
    order = Long.compare(content(), other.content());
    if (order != 0) return order;
    return compareBytes(tokensFrom(), tokenBytes(), other, other.tokensFrom(), other.tokenBytes());
  }

  private int compareBytes(
      int from, int length, EncodedDocument other, int otherFrom, int otherLength) {
    return Arrays.compareUnsigned(
        block.array(),
        from,
        from + length,
        other.block.array(),
        otherFrom,
        otherFrom + otherLength);
  }

  private int sourceBytes() {
    return block.getInt(at + SOURCE_BYTES);
  }

  private int languageBytes() {
    return block.getInt(at + LANGUAGE_BYTES);
  }

  private int idBytes() {
    return block.getInt(at + ID_BYTES);
  }

  private int idFrom() {
    return at + HEADER_BYTES + sourceBytes() + languageBytes();
  }

  private String text(int from, int length) {
    return new String(block.array(), from, length, StandardCharsets.UTF_8);
  }
}
