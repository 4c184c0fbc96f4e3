package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import java.io.ByteArrayOutputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import net.openhft.hashing.LongHashFunction;

/**
 * How a document lies in an entry's payload: {@code preference, id 0, source 0, path 0, hash of the
 * text, reference, buckets, offset of the id, offset of the reference}. As unsigned bytes, payloads
 * sort by preference: of documents of one text or cluster the first stays.
 */
final class TextEntry implements Serializable {
  private static final LongHashFunction XXH3 = LongHashFunction.xx3();
  private static final int OFFSETS_BYTES = 2 * Integer.BYTES;

  private final DedupConfig config;

  TextEntry(DedupConfig config) {
    this.config = config;
  }

  /**
   * @param ref by {@link Route#ref}
   * @param buckets none for a text without shingles
   */
  byte[] payload(Document d, long ref, long[] buckets) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(128 + buckets.length * Long.BYTES);
    preference(out, d);
    int id = out.size();
    string(out, d.id());
    string(out, d.source());
    string(out, d.path());
    // Decides between rows that are alike but for white space.
    out.writeBytes(Entry.pack(XXH3.hashChars(d.text())));
    int reference = out.size();
    out.writeBytes(Entry.pack(ref));
    out.writeBytes(Entry.pack(buckets));
    number(out, id);
    number(out, reference);
    return out.toByteArray();
  }

  /**
   * What decides which of several occurrences of a passage is the first: the same rule, then a hash
   * of all that tells documents apart. As unsigned bytes, smaller is earlier.
   *
   * @param last whether the document comes after all others
   */
  byte[] order(Document d, boolean last) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(32);
    out.write(last ? 1 : 0);
    preference(out, d);
    StringBuilder all = new StringBuilder();
    for (String part : new String[] {d.id(), d.source(), d.path(), d.text()}) {
      all.append(part.length()).append(' ').append(part);
    }
    out.writeBytes(Entry.pack(XXH3.hashChars(all)));
    return out.toByteArray();
  }

  private void preference(ByteArrayOutputStream out, Document d) {
    for (DedupConfig.Survivor rule : config.survivor()) {
      switch (rule) {
        case LONGEST -> {
          int length = d.text().codePointCount(0, d.text().length());
          number(out, Integer.MAX_VALUE - length);
        }
        case SOURCE -> {
          int rank = config.sourcePriority().indexOf(d.source());
          number(out, rank < 0 ? Integer.MAX_VALUE : rank);
        }
        case EARLIEST -> {
          String date = d.meta().get(config.dateField());
          out.write(date == null ? 1 : 0);
          string(out, date == null ? "" : date);
        }
      }
    }
  }

  /** Of a text of an earlier run: its document's id alone. */
  static byte[] payload(byte[] id) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(id.length + 1 + OFFSETS_BYTES);
    out.writeBytes(id);
    out.write(0);
    number(out, 0);
    number(out, id.length + 1);
    return out.toByteArray();
  }

  private static void number(ByteArrayOutputStream out, int value) {
    out.writeBytes(ByteBuffer.allocate(Integer.BYTES).putInt(value).array());
  }

  /** Ended by a zero byte, which a shorter string then sorts by; zeros in it would end it early. */
  private static void string(ByteArrayOutputStream out, String value) {
    out.writeBytes(value.replace('\0', '\uFFFD').getBytes(StandardCharsets.UTF_8));
    out.write(0);
  }

  static byte[] id(byte[] payload) {
    int from = offset(payload, 0);
    int to = from;
    while (payload[to] != 0) {
      to++;
    }
    return Arrays.copyOfRange(payload, from, to);
  }

  static long ref(byte[] payload) {
    return Entry.getLong(payload, offset(payload, 1));
  }

  static long[] buckets(byte[] payload) {
    int from = offset(payload, 1) + Long.BYTES;
    return Entry.unpack(Arrays.copyOfRange(payload, from, payload.length - OFFSETS_BYTES));
  }

  private static int offset(byte[] payload, int number) {
    return ByteBuffer.wrap(payload).getInt(payload.length - OFFSETS_BYTES + number * Integer.BYTES);
  }
}
