package caravan.pipeline.dedup;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.DocumentIterator;
import java.io.Serializable;
import java.util.Iterator;
import org.apache.spark.api.java.JavaRDD;

/**
 * Finds pairs of similar texts: MinHash bands propose them, the exact Jaccard similarity of their
 * shingle sets decides. Texts are named by their {@link TextKey}.
 */
final class NearDuplicates implements Serializable {
  /** Guess of what a shingle set takes, for the number of partitions; a wrong one costs disk. */
  private static final long SET_BYTES = 8192;

  private final DedupConfig config;

  NearDuplicates(DedupConfig config) {
    this.config = config;
  }

  /**
   * @param texts (key, 0, {@link TextEntry}), sorted; the first of each key counts
   * @param count number of different keys
   * @return (a, b), a below b, each pair once, sorted
   */
  Entries candidates(Entries texts, long count) {
    int width = config.bucketWindow();
    long members = count * (config.bands() + config.diagonalBands());
    int partitions = Entries.partitions(members * Entry.HEADER_BYTES);
    return texts
        .map(Members::new)
        .sorted(partitions, Route.HASH)
        .map(sorted -> new Pairs(sorted, width))
        .sorted(partitions, Route.HASH)
        .map(Distinct::new);
  }

  /**
   * The exact Jaccard similarity of pairs. Reads again the texts that the pairs name, and only
   * those.
   *
   * @param pairs (a, b), each once, sorted
   * @param count their number
   * @param texts as above
   * @return (a, b, similarity's bits), partitioned like the pairs where {@code partitions} is
   */
  Entries similarities(
      Entries pairs,
      long count,
      Entries texts,
      JavaRDD<DocumentIterator> documents,
      int partitions) {
    int units = config.shingleUnits();
    Entries wanted =
        pairs
            .map(Ends::new)
            .sorted(texts.partitionCount(), Route.HASH)
            .merge(texts, Located::new)
            .sorted(documents.getNumPartitions(), Route.DOCUMENT);
    JavaRDD<Entry> sets =
        documents.zipPartitions(
            wanted.blocks(),
            (parts, blocks) -> new Sets(ChainedDocuments.of(parts), Blocks.entries(blocks), units));
    return Entries.of(sets)
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

  /** Members of buckets, sorted, to pairs. */
  private static final class Pairs extends Step<Entry> {
    private final Iterator<Entry> members;
    private final BucketWindow window;

    Pairs(Iterator<Entry> members, int width) {
      this.members = members;
      this.window = new BucketWindow(width);
    }

    @Override
    protected boolean advance() {
      if (!members.hasNext()) {
        return false;
      }
      Entry member = members.next();
      int partners = window.accept(member.first(), member.second());
      for (int i = 0; i < partners; i++) {
        emit(new Entry(window.partner(i), member.second()));
      }
      return true;
    }
  }

  /** Each entry once. */
  static final class Distinct extends Step<Entry> {
    private final Iterator<Entry> sorted;
    private Entry previous;

    Distinct(Iterator<Entry> sorted) {
      this.sorted = sorted;
    }

    @Override
    protected boolean advance() {
      if (!sorted.hasNext()) {
        return false;
      }
      Entry entry = sorted.next();
      if (previous == null || Entry.ORDER.compare(previous, entry) != 0) {
        emit(entry);
      }
      previous = entry;
      return true;
    }
  }

  /** Pairs to whose shingles are wanted where: (key, a), each once. */
  private static final class Ends extends Step<Entry> {
    private final Iterator<Entry> pairs;
    private Entry previous;

    Ends(Iterator<Entry> pairs) {
      this.pairs = pairs;
    }

    @Override
    protected boolean advance() {
      if (!pairs.hasNext()) {
        return false;
      }
      Entry pair = pairs.next();
      if (previous == null || previous.first() != pair.first()) {
        emit(new Entry(pair.first(), pair.first()));
      }
      emit(new Entry(pair.second(), pair.first()));
      previous = pair;
      return true;
    }
  }

  /** Keys to documents: (reference, a, key). */
  private static final class Located extends Step<Entry> {
    private final Iterator<Entry> wanted;
    private final Cursor texts;

    Located(Iterator<Entry> wanted, Iterator<Entry> texts) {
      this.wanted = wanted;
      this.texts = new Cursor(texts);
    }

    @Override
    protected boolean advance() {
      if (!wanted.hasNext()) {
        return false;
      }
      Entry end = wanted.next();
      texts.seek(end.first());
      if (!texts.at(end.first())) {
        throw new IllegalStateException("no text has the key " + end.first());
      }
      long ref = TextEntry.ref(texts.head().payload());
      emit(new Entry(ref, end.second(), Entry.pack(end.first())));
      return true;
    }
  }

  /** The second reading: shingle sets, (a, a or key, set), own set first. */
  private static final class Sets extends Step<Entry> {
    private final DocumentIterator documents;
    private final Cursor wanted;
    private final Shingles shingles;
    private long ordinal;

    Sets(DocumentIterator documents, Iterator<Entry> wanted, int units) {
      this.documents = documents;
      this.wanted = new Cursor(wanted);
      this.shingles = new Shingles(units);
    }

    @Override
    protected boolean advance() {
      if (wanted.ended()) {
        return false;
      }
      long ref = wanted.head().first();
      for (; ordinal < Route.ordinal(ref); ordinal++) {
        documents.skip();
      }
      if (!documents.hasNext()) {
        throw new IllegalStateException(
            "a document is gone that was there at the first reading; the input changes while it is"
                + " read: run again");
      }
      byte[] set = Entry.pack(shingles.set(documents.next().text()));
      ordinal++;
      while (wanted.at(ref)) {
        Entry end = wanted.take();
        long key = Entry.getLong(end.payload(), 0);
        boolean own = key == end.second();
        emit(new Entry(end.second(), own ? Long.MIN_VALUE : key, set));
      }
      return true;
    }
  }

  /** Sets to similarities: a's own set comes before those of its partners. */
  private static final class Jaccards extends Step<Entry> {
    private final Iterator<Entry> sets;
    private long a;
    private long[] own;

    Jaccards(Iterator<Entry> sets) {
      this.sets = sets;
    }

    @Override
    protected boolean advance() {
      if (!sets.hasNext()) {
        return false;
      }
      Entry set = sets.next();
      if (set.second() == Long.MIN_VALUE) {
        a = set.first();
        own = Entry.unpack(set.payload());
      } else {
        if (own == null || set.first() != a) {
          throw new IllegalStateException("text " + set.first() + ": its shingles are missing");
        }
        double similarity = Shingles.jaccard(own, Entry.unpack(set.payload()));
        emit(new Entry(a, set.second(), Entry.pack(Double.doubleToLongBits(similarity))));
      }
      return true;
    }
  }
}
