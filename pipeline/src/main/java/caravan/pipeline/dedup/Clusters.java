package caravan.pipeline.dedup;

import java.util.Arrays;
import java.util.Iterator;

/** What becomes of texts that are similar: who stays, and who falls to whom. */
final class Clusters {
  private static final int TAIL_BYTES = 2 * Long.BYTES;

  private Clusters() {}

  /**
   * @param components (node, root), as {@link ConnectedComponents} gives them
   * @param texts (key, 0, {@link TextEntry}), sorted by {@link Route#RANGE}
   * @param earlier where the nodes are found that are no texts of this run
   * @return the texts of all components: (root, age, text with key and number of copies), sorted,
   *     so that the first of each root is the one that stays; the age is negative for texts of
   *     earlier runs, the smaller the older
   */
  static Entries members(Entries components, long count, Entries texts, IndexFiles earlier) {
    return components
        .map(Nodes::new)
        .sorted(texts.partitionCount(), Route.RANGE)
        .map(NearDuplicates.Distinct::new)
        .merge(
            texts,
            (nodes, known) -> new Members(nodes, known, earlier.lookup(IndexFile.Kind.TEXTS)))
        .sorted(Entries.partitions(count * 512), Route.HASH);
  }

  /** Texts of earlier runs that are in a component but do not stand for it: (key, 0). */
  static Iterator<Entry> passedOver(Iterator<Entry> members) {
    return new PassedOver(members);
  }

  static boolean isEarlier(Entry member) {
    return member.second() < 0;
  }

  static long copies(Entry member) {
    return Entry.getLong(member.payload(), member.payload().length - Long.BYTES);
  }

  static long key(Entry member) {
    return Entry.getLong(member.payload(), member.payload().length - TAIL_BYTES);
  }

  private static byte[] id(Entry member) {
    return TextEntry.id(Arrays.copyOf(member.payload(), member.payload().length - TAIL_BYTES));
  }

  /**
   * Pairs of a text that falls and the one it falls to: (a, b, key that falls and the payload of
   * its {@link Fall}).
   */
  static Iterator<Entry> fallen(Iterator<Entry> members) {
    return new Fallen(members);
  }

  /**
   * Looks similarities up.
   *
   * @param known whether to give the pairs whose similarity is known, as {@link Fall}, or the
   *     others as they are
   */
  static Iterator<Entry> compared(
      Iterator<Entry> fallen, Iterator<Entry> similarities, boolean known) {
    return new Compared(fallen, similarities, known);
  }

  private static final class Nodes extends Each<Entry, Entry> {
    Nodes(Iterator<Entry> stars) {
      super(stars);
    }

    @Override
    protected void take(Entry star) {
      emit(star);
      emit(new Entry(star.second(), star.second()));
    }
  }

  private static final class Members extends Each<Entry, Entry> {
    private final Cursor texts;
    private final IndexLookup earlier;

    Members(Iterator<Entry> nodes, Iterator<Entry> texts, IndexLookup earlier) {
      super(nodes);
      this.texts = new Cursor(texts);
      this.earlier = earlier;
    }

    @Override
    protected void take(Entry node) {
      long key = node.first();
      texts.seek(key);
      if (!texts.at(key)) {
        emit(earlier(node.second(), key));
        return;
      }
      byte[] text = texts.head().payload();
      long copies = 0;
      for (; texts.at(key); texts.take()) {
        copies++;
      }
      emit(new Entry(node.second(), 0, payload(text, key, copies)));
    }

    private Entry earlier(long root, long key) {
      earlier.seek(key);
      if (!earlier.at(key)) {
        throw new IllegalStateException("no text has the key " + key);
      }
      byte[] text = TextEntry.payload(IndexedText.of(earlier.head()).id());
      return new Entry(root, Long.MIN_VALUE + earlier.part(), payload(text, key, 1));
    }

    private static byte[] payload(byte[] text, long key, long copies) {
      byte[] payload = Arrays.copyOf(text, text.length + TAIL_BYTES);
      Entry.putLong(payload, text.length, key);
      Entry.putLong(payload, text.length + Long.BYTES, copies);
      return payload;
    }
  }

  /** Members, the one that stays first, to those after it. */
  private abstract static class Followers extends Each<Entry, Entry> {
    private Entry survivor;

    Followers(Iterator<Entry> members) {
      super(members);
    }

    @Override
    protected final void take(Entry member) {
      if (survivor == null || member.first() != survivor.first()) {
        survivor = member;
      } else {
        follow(survivor, member);
      }
    }

    abstract void follow(Entry survivor, Entry member);
  }

  private static final class PassedOver extends Followers {
    PassedOver(Iterator<Entry> members) {
      super(members);
    }

    @Override
    void follow(Entry survivor, Entry member) {
      if (isEarlier(member)) {
        emit(new Entry(key(member), 0));
      }
    }
  }

  private static final class Fallen extends Followers {
    private Entry last;
    private byte[] id;

    Fallen(Iterator<Entry> members) {
      super(members);
    }

    @Override
    void follow(Entry survivor, Entry member) {
      if (isEarlier(member)) {
        return; // what earlier runs kept stays
      }
      if (last != survivor) {
        last = survivor;
        id = id(survivor);
      }
      long a = key(survivor);
      long b = key(member);
      int kind = Fall.NEAR + (isEarlier(survivor) ? Fall.EARLIER : 0);
      byte[] fall = Fall.payload(kind, a, copies(member), copies(survivor), id);
      byte[] payload = new byte[Long.BYTES + fall.length];
      Entry.putLong(payload, 0, b);
      System.arraycopy(fall, 0, payload, Long.BYTES, fall.length);
      emit(new Entry(Math.min(a, b), Math.max(a, b), payload));
    }
  }

  private static final class Compared extends Each<Entry, Entry> {
    private final Cursor similarities;
    private final boolean known;

    Compared(Iterator<Entry> fallen, Iterator<Entry> similarities, boolean known) {
      super(fallen);
      this.similarities = new Cursor(similarities);
      this.known = known;
    }

    @Override
    protected void take(Entry pair) {
      Entry similarity = find(pair.first(), pair.second());
      if (known && similarity != null) {
        byte[] payload = pair.payload();
        byte[] fall = Arrays.copyOfRange(payload, Long.BYTES, payload.length);
        long bits = Entry.getLong(similarity.payload(), 0);
        emit(new Entry(Entry.getLong(payload, 0), bits, fall));
      } else if (!known && similarity == null) {
        emit(pair);
      }
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
