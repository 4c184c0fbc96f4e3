package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.IdSet;

/** The first reading: each document's {@link TextKey}, preference and LSH buckets. */
final class TextScan extends Step<Entry> {
  private static final long[] NO_BUCKETS = {};

  private final int partition;
  private final DocumentIterator documents;
  private final IdSet deleted;
  private final TextEntry entry;
  private final TextKey key = new TextKey();
  private final Shingles shingles;
  private final LshBands bands;
  private final MinHash minHash;
  private final int[] signature;
  private long ordinal;

  TextScan(
      int partition, DocumentIterator documents, DedupConfig config, long seed, IdSet deleted) {
    this.deleted = deleted;
    this.partition = partition;
    this.documents = documents;
    this.entry = new TextEntry(config);
    this.shingles = new Shingles(config.shingleUnits());
    this.bands = new LshBands(config.bands(), config.rowsPerBand(), config.diagonalBands());
    this.minHash = new MinHash(bands.permutations(), seed);
    this.signature = new int[bands.permutations()];
  }

  @Override
  protected boolean advance() {
    if (!documents.hasNext()) {
      return false;
    }
    Document d = documents.next();
    long ref = Route.ref(partition, ordinal++);
    if (Documents.taggedIfUnreadable(d).isEmpty() && !deleted.contains(d.id())) {
      emit(new Entry(key.of(d.text()), 0, entry.payload(d, ref, buckets(d.text()))));
    }
    return true;
  }

  private long[] buckets(String text) {
    int count = shingles.read(text);
    if (count == 0) {
      return NO_BUCKETS;
    }
    minHash.sign(shingles.hashes(), count, signature);
    long[] buckets = new long[bands.buckets()];
    for (int band = 0; band < buckets.length; band++) {
      buckets[band] = bands.bucket(signature, band);
    }
    return buckets;
  }
}
