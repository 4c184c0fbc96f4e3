package caravan.pipeline.dedup;

import java.io.Serializable;
import java.util.Iterator;

/**
 * Finds pairs of similar texts: MinHash bands propose them, the exact Jaccard similarity of their
 * shingle sets decides. Texts are named by their {@link TextKey}.
 */
final class NearDuplicates implements Serializable {
  /** Guess of what a shingle set takes, for the number of partitions; a wrong one costs disk. */
  static final long SET_BYTES = 3072;

  private final DedupConfig config;

  NearDuplicates(DedupConfig config) {
    this.config = config;
  }

  /**
   * @param texts (key, 0, {@link TextEntry}), sorted; the first of each key counts
   * @param count number of different keys
   * @return (bucket, key) of all texts, sorted, partitioned by range
   */
  Entries members(Entries texts, long count) {
    long members = count * (config.bands() + config.diagonalBands());
    return texts
        .map(Members::new)
        .sorted(Entries.partitions(members * Entry.HEADER_BYTES), Route.RANGE);
  }

  /**
   * @param members as above
   * @param earlier texts of earlier runs, which are paired with new ones, not with each other
   * @return (a, b), a below b, each pair once, sorted
   */
  Entries candidates(Entries members, IndexFiles earlier) {
    int width = config.bucketWindow();
    return members
        .map(sorted -> new Pairs(sorted, earlier.lookup(IndexFile.Kind.POSTINGS), width))
        .sorted(members.partitionCount(), Route.HASH)
        .map(Distinct::new);
  }

  /**
   * The exact Jaccard similarity of pairs.
   *
   * @param pairs (a, b), each once, sorted
   * @param count their number
   * @return (a, b, similarity's bits), partitioned like the pairs where {@code partitions} is
   */
  Entries similarities(Entries pairs, long count, ShingleSource source, int partitions) {
    return source
        .sets(pairs.map(Ends::new))
        .sorted(Math.max(partitions, Entries.partitions(2 * count * SET_BYTES)), Route.HASH)
        .map(Jaccards::new)
        .sorted(partitions, Route.HASH);
  }

  /** Texts to members of buckets: (bucket, key). */
  private static final class Members extends Step<Entry> {
    private final Cursor texts;

    Members(Iterator<Entry> texts) {
      this.texts = new Cursor(texts);
    }

    @Override
    protected boolean advance() {
      if (texts.ended()) {
        return false;
      }
      Entry text = texts.take();
      for (long bucket : TextEntry.buckets(text.payload())) {
        emit(new Entry(bucket, text.first()));
      }
      while (texts.at(text.first())) {
        texts.take();
      }
      return true;
    }
  }

  /** Members of buckets, sorted, to pairs; buckets without a new member are not looked at. */
  private static final class Pairs extends Step<Entry> {
    private final Cursor members;
    private final IndexLookup earlier;
    private final BucketWindow window;
    private final int width;
    private boolean started;
    private long bucket;
    private long sinceNew;

    Pairs(Iterator<Entry> members, IndexLookup earlier, int width) {
      this.members = new Cursor(members);
      this.earlier = earlier;
      this.window = new BucketWindow(width);
      this.width = width;
    }

    @Override
    protected boolean advance() {
      boolean hasNew = started && members.at(bucket);
      boolean hasEarlier = started && earlier.at(bucket) && (hasNew || sinceNew < width);
      if (hasEarlier && (!hasNew || earlier.head().second() <= members.head().second())) {
        sinceNew++;
        emitPairs(earlier.take().second(), false);
      } else if (hasNew) {
        sinceNew = 0;
        emitPairs(members.take().second(), true);
      } else if (members.ended()) {
        return false;
      } else {
        started = true;
        bucket = members.head().first();
        earlier.seek(bucket);
      }
      return true;
    }

    private void emitPairs(long key, boolean isNew) {
      int partners = window.accept(bucket, key, isNew);
      for (int i = 0; i < partners; i++) {
        emit(new Entry(window.partner(i), key));
      }
    }
  }

  /** Each entry once. */
  static final class Distinct extends Each<Entry, Entry> {
    private Entry previous;

    Distinct(Iterator<Entry> sorted) {
      super(sorted);
    }

    @Override
    protected void take(Entry entry) {
      if (previous == null || Entry.ORDER.compare(previous, entry) != 0) {
        emit(entry);
      }
      previous = entry;
    }
  }

  /** Pairs to whose shingles are wanted where: (key, a), each once. */
  private static final class Ends extends Each<Entry, Entry> {
    private Entry previous;

    Ends(Iterator<Entry> pairs) {
      super(pairs);
    }

    @Override
    protected void take(Entry pair) {
      if (previous == null || previous.first() != pair.first()) {
        emit(new Entry(pair.first(), pair.first()));
      }
      emit(new Entry(pair.second(), pair.first()));
      previous = pair;
    }
  }

  /** Sets to similarities: a's own set comes before those of its partners. */
  private static final class Jaccards extends Each<Entry, Entry> {
    private long a;
    private int[] own;

    Jaccards(Iterator<Entry> sets) {
      super(sets);
    }

    @Override
    protected void take(Entry set) {
      if (set.second() == Long.MIN_VALUE) {
        a = set.first();
        own = ShingleSet.values(set.payload());
      } else {
        if (own == null || set.first() != a) {
          throw new IllegalStateException("text " + set.first() + ": its shingles are missing");
        }
        double similarity = ShingleSet.jaccard(own, ShingleSet.values(set.payload()));
        emit(new Entry(a, set.second(), Entry.pack(Double.doubleToLongBits(similarity))));
      }
    }
  }
}
