package caravan.pipeline.dedup;

import caravan.pipeline.text.Words;
import java.nio.ByteBuffer;
import java.util.Arrays;
import net.openhft.hashing.LongTupleHashFunction;

/**
 * One place of one text, as an {@link Entry}: a 126-bit hash of its units as first and second, both
 * not negative; as payload {@code order, id, length of the id, document's reference, place}. Of
 * equal texts the first occurrence sorts first: by order, then by place.
 *
 * <p>Two different texts share a hash with probability 2^-126, as far as their units' 64-bit hashes
 * ({@link Words#hash}) differ.
 */
final class Occurrence {
  private static final LongTupleHashFunction XXH3 = LongTupleHashFunction.xx128();
  private static final int TAIL_BYTES = Integer.BYTES + 2 * Long.BYTES;

  private Occurrence() {}

  /**
   * @param hashes of units
   * @param hash room for two numbers
   */
  static Entry of(long[] hashes, int from, int count, long[] hash, byte[] payload) {
    XXH3.hashLongs(hashes, from, count, hash);
    return new Entry(hash[0] & Long.MAX_VALUE, hash[1] & Long.MAX_VALUE, payload);
  }

  /**
   * @param order by {@link TextEntry#order}; nothing where it does not matter
   * @param id of the document; nothing where it does not matter
   * @param ref by {@link Route#ref}
   * @param place by {@link #place}
   */
  static byte[] payload(byte[] order, byte[] id, long ref, long place) {
    return ByteBuffer.allocate(order.length + id.length + TAIL_BYTES)
        .put(order)
        .put(id)
        .putInt(id.length)
        .putLong(ref)
        .putLong(place)
        .array();
  }

  /**
   * @param index of the first piece (a line, a unit) in its document
   * @param character code points before it
   */
  static long place(int index, int character) {
    return (long) index << Integer.SIZE | character;
  }

  static int index(long place) {
    return (int) (place >>> Integer.SIZE);
  }

  static int character(long place) {
    return (int) place;
  }

  static long ref(byte[] payload) {
    return Entry.getLong(payload, payload.length - 2 * Long.BYTES);
  }

  static long place(byte[] payload) {
    return Entry.getLong(payload, payload.length - Long.BYTES);
  }

  static byte[] id(byte[] payload) {
    int end = payload.length - TAIL_BYTES;
    int length = ByteBuffer.wrap(payload).getInt(end);
    return Arrays.copyOfRange(payload, end - length, end);
  }

  /** The hashes of a text's units. */
  static long[] hashes(Words words) {
    long[] hashes = new long[words.count()];
    for (int i = 0; i < hashes.length; i++) {
      hashes[i] = words.hash(i);
    }
    return hashes;
  }
}
