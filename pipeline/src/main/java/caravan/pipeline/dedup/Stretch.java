package caravan.pipeline.dedup;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Pieces of a document that are repeated, one after the other, as an {@link Entry}: (reference,
 * first piece, the rest).
 *
 * @param to after the last piece
 * @param firstCharacter code points before the first occurrence, in its document
 * @param firstId of that document
 * @param cuts pairs of pieces: what is to be removed, from the one up to the other
 */
record Stretch(
    int from,
    int to,
    long documents,
    long occurrences,
    int firstCharacter,
    String firstId,
    List<Interval> cuts) {
  private static final int FIXED_BYTES = 3 * Integer.BYTES + 2 * Long.BYTES;

  /** Pieces from the one up to the other. */
  record Interval(int from, int to) {
    /** What intervals cover together, in order; those that touch become one. */
    static List<Interval> union(List<Interval> intervals) {
      List<Interval> sorted = new ArrayList<>(intervals);
      sorted.sort(Comparator.comparingInt(Interval::from));
      List<Interval> union = new ArrayList<>();
      for (Interval next : sorted) {
        int end = union.size() - 1;
        if (end >= 0 && union.get(end).to >= next.from) {
          Interval last = union.get(end);
          union.set(end, new Interval(last.from, Math.max(last.to, next.to)));
        } else {
          union.add(next);
        }
      }
      return union;
    }
  }

  Entry entry(long ref) {
    byte[] id = firstId.getBytes(StandardCharsets.UTF_8);
    ByteBuffer out =
        ByteBuffer.allocate(FIXED_BYTES + cuts.size() * 2 * Integer.BYTES + id.length)
            .putInt(to)
            .putInt(firstCharacter)
            .putInt(cuts.size())
            .putLong(documents)
            .putLong(occurrences);
    cuts.forEach(cut -> out.putInt(cut.from).putInt(cut.to));
    return new Entry(ref, from, out.put(id).array());
  }

  static Stretch of(Entry entry) {
    ByteBuffer in = ByteBuffer.wrap(entry.payload());
    int to = in.getInt();
    int firstCharacter = in.getInt();
    Interval[] cuts = new Interval[in.getInt()];
    long documents = in.getLong();
    long occurrences = in.getLong();
    Arrays.setAll(cuts, i -> new Interval(in.getInt(), in.getInt()));
    byte[] id = new byte[in.remaining()];
    in.get(id);
    return new Stretch(
        (int) entry.second(),
        to,
        documents,
        occurrences,
        firstCharacter,
        new String(id, StandardCharsets.UTF_8),
        List.of(cuts));
  }
}
