package caravan.pipeline.dedup;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/**
 * Finds texts that occur in several documents among all {@link Occurrence}s, and tells each
 * occurrence. What is equal within a partition is counted there first: a text that is in every
 * document sends as many entries over the network, and to one task, as there are partitions.
 */
final class Repeats {
  /** Guess of what an occurrence takes, for the number of partitions; a wrong one costs disk. */
  private static final long OCCURRENCE_BYTES = 96;

  /** Bits of a hash that do not fit into the ordinal of a {@link Route#ref}. */
  private static final int LOW_BITS = 24;

  private Repeats() {}

  /**
   * @param occurrences each partition sorted by {@link Route#HASH}
   * @param count their number
   * @param minDocuments different documents that a text must be in
   * @param within whether a text also counts that occurs twice in one document
   * @return (document's reference, place, {@link Finding}) of the occurrences of repeated texts, in
   *     the documents' partitions and order
   */
  static Entries of(Entries occurrences, long count, int minDocuments, boolean within) {
    int documentPartitions = occurrences.partitionCount();
    int partitions = Entries.partitions(count * OCCURRENCE_BYTES);
    return occurrences
        .map(Counted::new)
        .sorted(partitions, Route.HASH)
        .map(counted -> new Repeated(counted, minDocuments, within))
        .sorted(documentPartitions, Route.DOCUMENT)
        .merge(occurrences, Told::new)
        .sortedWithin(Route.DOCUMENT);
  }

  /**
   * What an occurrence of a repeated text is told.
   *
   * @param documents that have the text
   * @param occurrences of it in all of them
   * @param firstRef document of the first occurrence
   * @param firstPlace where it is there
   * @param firstId the document's id
   */
  record Finding(long documents, long occurrences, long firstRef, long firstPlace, byte[] firstId) {
    private static final int FIXED_BYTES = 4 * Long.BYTES;

    byte[] payload() {
      return ByteBuffer.allocate(FIXED_BYTES + firstId.length)
          .putLong(documents)
          .putLong(occurrences)
          .putLong(firstRef)
          .putLong(firstPlace)
          .put(firstId)
          .array();
    }

    static Finding of(byte[] payload) {
      return new Finding(
          Entry.getLong(payload, 0),
          Entry.getLong(payload, Long.BYTES),
          Entry.getLong(payload, 2 * Long.BYTES),
          Entry.getLong(payload, 3 * Long.BYTES),
          Arrays.copyOfRange(payload, FIXED_BYTES, payload.length));
    }

    boolean isFirst(long ref, long place) {
      return ref == firstRef && place == firstPlace;
    }
  }

  private static boolean same(Entry a, Entry b) {
    return a.first() == b.first() && a.second() == b.second();
  }

  /** Counts within a partition: (hash, hash, documents, occurrences, first one's payload). */
  private static final class Counted extends Step<Entry> {
    static final int COUNTS_BYTES = 2 * Long.BYTES;

    private final Cursor occurrences;

    Counted(Iterator<Entry> occurrences) {
      this.occurrences = new Cursor(occurrences);
    }

    @Override
    protected boolean advance() {
      if (occurrences.ended()) {
        return false;
      }
      Entry first = occurrences.take();
      long document = Occurrence.ref(first.payload());
      long documents = 1;
      long count = 1;
      for (; !occurrences.ended() && same(first, occurrences.head()); count++) {
        long next = Occurrence.ref(occurrences.take().payload());
        documents += next == document ? 0 : 1;
        document = next;
      }
      byte[] payload = new byte[COUNTS_BYTES + first.payload().length];
      Entry.putLong(payload, 0, documents);
      Entry.putLong(payload, Long.BYTES, count);
      System.arraycopy(first.payload(), 0, payload, COUNTS_BYTES, first.payload().length);
      emit(new Entry(first.first(), first.second(), payload));
      return true;
    }
  }

  /**
   * Adds up, and tells each partition that has a repeated text: (partition, hash; hash, {@link
   * Finding}). Holds what the partitions say of one text.
   */
  private static final class Repeated extends Step<Entry> {
    private final Cursor counted;
    private final int minDocuments;
    private final boolean within;

    Repeated(Iterator<Entry> counted, int minDocuments, boolean within) {
      this.counted = new Cursor(counted);
      this.minDocuments = minDocuments;
      this.within = within;
    }

    @Override
    protected boolean advance() {
      if (counted.ended()) {
        return false;
      }
      List<Entry> group = new ArrayList<>();
      Entry head = counted.head();
      long documents = 0;
      long occurrences = 0;
      byte[] first = null;
      while (!counted.ended() && same(head, counted.head())) {
        Entry entry = counted.take();
        byte[] payload = entry.payload();
        documents += Entry.getLong(payload, 0);
        occurrences += Entry.getLong(payload, Long.BYTES);
        byte[] own = Arrays.copyOfRange(payload, Counted.COUNTS_BYTES, payload.length);
        first = first == null || Arrays.compareUnsigned(own, first) < 0 ? own : first;
        group.add(entry);
      }
      if (documents >= minDocuments || within && occurrences > 1) {
        Finding finding =
            new Finding(
                documents,
                occurrences,
                Occurrence.ref(first),
                Occurrence.place(first),
                Occurrence.id(first));
        tell(group, finding.payload());
      }
      return true;
    }

    private void tell(List<Entry> group, byte[] finding) {
      for (Entry entry : group) {
        byte[] payload = new byte[Long.BYTES + finding.length];
        Entry.putLong(payload, 0, entry.second());
        System.arraycopy(finding, 0, payload, Long.BYTES, finding.length);
        int partition = Route.partitionOf(Occurrence.ref(entry.payload()));
        emit(new Entry(Route.ref(partition, entry.first() >>> LOW_BITS), entry.first(), payload));
      }
    }
  }

  /** Told texts to their occurrences, one by one: a partition may have a text a million times. */
  private static final class Told extends Step<Entry> {
    private final Iterator<Entry> repeated;
    private final Cursor occurrences;
    private long first;
    private long second;
    private byte[] finding;

    Told(Iterator<Entry> repeated, Iterator<Entry> occurrences) {
      this.repeated = repeated;
      this.occurrences = new Cursor(occurrences);
    }

    @Override
    protected boolean advance() {
      if (finding != null && occurrences.at(first) && occurrences.head().second() == second) {
        byte[] payload = occurrences.take().payload();
        emit(new Entry(Occurrence.ref(payload), Occurrence.place(payload), finding));
        return true;
      }
      if (!repeated.hasNext()) {
        return false;
      }
      Entry next = repeated.next();
      first = next.second();
      second = Entry.getLong(next.payload(), 0);
      finding = Arrays.copyOfRange(next.payload(), Long.BYTES, next.payload().length);
      occurrences.seek(first);
      while (occurrences.at(first) && occurrences.head().second() < second) {
        occurrences.take();
      }
      return true;
    }
  }
}
