package caravan.pipeline.dedup;

import java.util.Arrays;

/**
 * A text that falls and what it falls to, as an entry (key, similarity's bits, {@code kind, key of
 * what stays, copies, copies of what stays, its id}).
 */
final class Fall {
  static final byte EXACT = 0;
  static final byte NEAR = 1;

  /** Added to the kind when what stays is in an earlier part of the index. */
  static final byte EARLIER = 2;

  private static final int ROOT_AT = 1;
  private static final int COPIES_AT = ROOT_AT + Long.BYTES;
  private static final int ROOT_COPIES_AT = COPIES_AT + Long.BYTES;
  private static final int ID_AT = ROOT_COPIES_AT + Long.BYTES;

  private Fall() {}

  static byte[] payload(int kind, long root, long copies, long rootCopies, byte[] id) {
    byte[] payload = new byte[ID_AT + id.length];
    payload[0] = (byte) kind;
    Entry.putLong(payload, ROOT_AT, root);
    Entry.putLong(payload, COPIES_AT, copies);
    Entry.putLong(payload, ROOT_COPIES_AT, rootCopies);
    System.arraycopy(id, 0, payload, ID_AT, id.length);
    return payload;
  }

  static byte kind(byte[] payload) {
    return payload[0];
  }

  static boolean isEarlier(byte[] payload) {
    return (payload[0] & EARLIER) != 0;
  }

  /** Key of what stays. */
  static long root(byte[] payload) {
    return Entry.getLong(payload, ROOT_AT);
  }

  /** Documents of the text that falls. */
  static long copies(byte[] payload) {
    return Entry.getLong(payload, COPIES_AT);
  }

  /** Documents of what stays; one where it is in an earlier part of the index. */
  static long rootCopies(byte[] payload) {
    return Entry.getLong(payload, ROOT_COPIES_AT);
  }

  /** Id of the document that stays. */
  static byte[] id(byte[] payload) {
    return Arrays.copyOfRange(payload, ID_AT, payload.length);
  }
}
