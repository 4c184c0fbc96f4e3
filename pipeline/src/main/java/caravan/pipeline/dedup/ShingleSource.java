package caravan.pipeline.dedup;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.DocumentIterator;
import java.util.Iterator;
import org.apache.spark.api.java.JavaRDD;

/** Where the shingle sets of texts come from that are to be compared. */
interface ShingleSource {
  /**
   * @param wanted (key, a): the set of {@code key} is wanted where {@code a} is compared
   * @return (a, key, {@link ShingleSet}), a's own set with {@link Long#MIN_VALUE} as key
   */
  Entries sets(Entries wanted);

  /**
   * Reads the documents again, those that are wanted alone.
   *
   * @param texts (key, 0, {@link TextEntry}), sorted by {@link Route#RANGE}
   */
  record Documents(Entries texts, JavaRDD<DocumentIterator> documents, int shingleUnits)
      implements ShingleSource {
    @Override
    public Entries sets(Entries wanted) {
      int units = shingleUnits;
      Entries located =
          wanted
              .sorted(texts.partitionCount(), Route.RANGE)
              .merge(texts, Located::new)
              .sorted(documents.getNumPartitions(), Route.DOCUMENT);
      return Entries.of(
          documents.zipPartitions(
              located.blocks(),
              (parts, blocks) ->
                  new Sets(ChainedDocuments.of(parts), Blocks.entries(blocks), units)));
    }
  }

  /**
   * Looks into the files of an index, which holds the sets of this run's texts too.
   *
   * @param partitions tasks that look
   */
  record Index(IndexFiles files, int partitions) implements ShingleSource {
    @Override
    public Entries sets(Entries wanted) {
      IndexFiles files = this.files;
      return wanted
          .sorted(partitions, Route.RANGE)
          .map(sorted -> new Stored(sorted, files.lookup(IndexFile.Kind.SETS)));
    }
  }

  /** Keys to documents: (reference, a, key). */
  final class Located extends Each<Entry, Entry> {
    private final Cursor texts;

    Located(Iterator<Entry> wanted, Iterator<Entry> texts) {
      super(wanted);
      this.texts = new Cursor(texts);
    }

    @Override
    protected void take(Entry end) {
      texts.seek(end.first());
      if (!texts.at(end.first())) {
        throw new IllegalStateException("no text has the key " + end.first());
      }
      long ref = TextEntry.ref(texts.head().payload());
      emit(new Entry(ref, end.second(), Entry.pack(end.first())));
    }
  }

  /** (reference, a, key) to sets: (a, key or the smallest number, set). */
  final class Sets extends Step<Entry> {
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
      byte[] set = ShingleSet.of(documents.next().text(), shingles);
      ordinal++;
      while (wanted.at(ref)) {
        Entry end = wanted.take();
        emit(set(end.second(), Entry.getLong(end.payload(), 0), set));
      }
      return true;
    }

    static Entry set(long a, long key, byte[] set) {
      return new Entry(a, key == a ? Long.MIN_VALUE : key, set);
    }
  }

  /** (key, a) to sets as above, out of files. */
  final class Stored extends Each<Entry, Entry> {
    private final IndexLookup sets;

    Stored(Iterator<Entry> wanted, IndexLookup sets) {
      super(wanted);
      this.sets = sets;
    }

    @Override
    protected void take(Entry end) {
      sets.seek(end.first());
      if (!sets.at(end.first())) {
        throw new IllegalStateException(
            "the index has postings of the text " + end.first() + " but no shingles; report it");
      }
      emit(Sets.set(end.second(), end.first(), sets.head().payload()));
    }
  }
}
