package caravan.pipeline.dedup;

import java.util.Arrays;

/**
 * A text in an index, as the payload of (key, key of the text that stands for it): {@code
 * similarity to that, id 0, id of that}.
 *
 * @param root key of the text that stays for it; its own key where it stayed itself
 * @param similarity exact Jaccard similarity to that
 * @param id of its document; of copies, the one that their survivor rule prefers
 * @param rootId id of the document that stayed
 */
record IndexedText(long key, long root, double similarity, byte[] id, byte[] rootId)
    implements java.io.Serializable {
  private static final byte[] SAME = {};

  Entry entry() {
    byte[] other = stayed() ? SAME : rootId;
    byte[] payload = new byte[Long.BYTES + id.length + 1 + other.length];
    Entry.putLong(payload, 0, Double.doubleToLongBits(similarity));
    System.arraycopy(id, 0, payload, Long.BYTES, id.length);
    System.arraycopy(other, 0, payload, payload.length - other.length, other.length);
    return new Entry(key, root, payload);
  }

  static IndexedText of(Entry entry) {
    byte[] payload = entry.payload();
    int end = Long.BYTES;
    while (payload[end] != 0) {
      end++;
    }
    byte[] id = Arrays.copyOfRange(payload, Long.BYTES, end);
    boolean stayed = entry.first() == entry.second();
    return new IndexedText(
        entry.first(),
        entry.second(),
        Double.longBitsToDouble(Entry.getLong(payload, 0)),
        id,
        stayed ? id : Arrays.copyOfRange(payload, end + 1, payload.length));
  }

  /** Whether its document stayed. */
  boolean stayed() {
    return key == root;
  }
}
