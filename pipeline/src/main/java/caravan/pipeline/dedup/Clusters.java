package caravan.pipeline.dedup;

import java.util.Arrays;
import java.util.Iterator;

/** What becomes of texts that are similar: who stays, and who falls to whom. */
final class Clusters {
  private static final int TAIL_BYTES = 2 * Long.BYTES;

  private Clusters() {}

  /**
   * @param components (node, root), as {@link ConnectedComponents} gives them
   * @param texts (key, 0, {@link TextEntry}), sorted
   * @return the texts of all components: (root, 0, text with key and number of copies), sorted, so
   *     that the first of each root is the one that stays
   */
  static Entries members(Entries components, long count, Entries texts) {
    return components
        .map(Nodes::new)
        .sorted(texts.partitionCount(), Route.HASH)
        .map(NearDuplicates.Distinct::new)
        .merge(texts, Members::new)
        .sorted(Entries.partitions(count * 512), Route.HASH);
  }

  static long copies(Entry member) {
    return Entry.getLong(member.payload(), member.payload().length - Long.BYTES);
  }

  private static long key(Entry member) {
    return Entry.getLong(member.payload(), member.payload().length - TAIL_BYTES);
  }

  private static byte[] text(Entry member) {
    return Arrays.copyOf(member.payload(), member.payload().length - TAIL_BYTES);
  }

  /**
   * Pairs of a text that falls and the one it falls to: (a, b, key that falls and the survivor's
   * id).
   */
  static Iterator<Entry> fallen(Iterator<Entry> members) {
    return new Fallen(members);
  }

  /**
   * Looks similarities up.
   *
   * @param known whether to give the pairs whose similarity is known, as (key that falls,
   *     similarity's bits, survivor's id), or the others as they are
   */
  static Iterator<Entry> compared(
      Iterator<Entry> fallen, Iterator<Entry> similarities, boolean known) {
    return new Compared(fallen, similarities, known);
  }

  private static final class Nodes extends Step<Entry> {
    private final Iterator<Entry> stars;

    Nodes(Iterator<Entry> stars) {
      this.stars = stars;
    }

    @Override
    protected boolean advance() {
      if (!stars.hasNext()) {
        return false;
      }
      Entry star = stars.next();
      emit(star);
      emit(new Entry(star.second(), star.second()));
      return true;
    }
  }

  private static final class Members extends Step<Entry> {
    private final Iterator<Entry> nodes;
    private final Cursor texts;

    Members(Iterator<Entry> nodes, Iterator<Entry> texts) {
      this.nodes = nodes;
      this.texts = new Cursor(texts);
    }

    @Override
    protected boolean advance() {
      if (!nodes.hasNext()) {
        return false;
      }
      Entry node = nodes.next();
      texts.seek(node.first());
      byte[] text = texts.head().payload();
      long copies = 0;
      for (; texts.at(node.first()); texts.take()) {
        copies++;
      }
      byte[] payload = Arrays.copyOf(text, text.length + TAIL_BYTES);
      Entry.putLong(payload, text.length, node.first());
      Entry.putLong(payload, text.length + Long.BYTES, copies);
      emit(new Entry(node.second(), 0, payload));
      return true;
    }
  }

  private static final class Fallen extends Step<Entry> {
    private final Iterator<Entry> members;
    private long root;
    private Entry survivor;
    private byte[] survivorId;

    Fallen(Iterator<Entry> members) {
      this.members = members;
    }

    @Override
    protected boolean advance() {
      if (!members.hasNext()) {
        return false;
      }
      Entry member = members.next();
      if (survivor == null || member.first() != root) {
        root = member.first();
        survivor = member;
        survivorId = TextEntry.id(text(member));
        return true;
      }
      long a = key(survivor);
      long b = key(member);
      byte[] payload = new byte[Long.BYTES + survivorId.length];
      Entry.putLong(payload, 0, b);
      System.arraycopy(survivorId, 0, payload, Long.BYTES, survivorId.length);
      emit(new Entry(Math.min(a, b), Math.max(a, b), payload));
      return true;
    }
  }

  private static final class Compared extends Step<Entry> {
    private final Iterator<Entry> fallen;
    private final Cursor similarities;
    private final boolean known;

    Compared(Iterator<Entry> fallen, Iterator<Entry> similarities, boolean known) {
      this.fallen = fallen;
      this.similarities = new Cursor(similarities);
      this.known = known;
    }

    @Override
    protected boolean advance() {
      if (!fallen.hasNext()) {
        return false;
      }
      Entry pair = fallen.next();
      Entry similarity = find(pair.first(), pair.second());
      if (known && similarity != null) {
        byte[] payload = pair.payload();
        byte[] survivor = Arrays.copyOfRange(payload, Long.BYTES, payload.length);
        long bits = Entry.getLong(similarity.payload(), 0);
        emit(new Entry(Entry.getLong(payload, 0), bits, survivor));
      } else if (!known && similarity == null) {
        emit(pair);
      }
      return true;
    }

    private Entry find(long a, long b) {
      similarities.seek(a);
      while (similarities.at(a) && similarities.head().second() < b) {
        similarities.take();
      }
      return similarities.at(a) && similarities.head().second() == b ? similarities.head() : null;
    }
  }
}
