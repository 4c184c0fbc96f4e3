package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.Tagged;
import caravan.pipeline.text.Words;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;

/** The windows whose anchor is repeated, as {@link Occurrence}s. */
final class WindowScan extends Step<Entry> {
  private static final int LAST = -1;

  private final KeptDocuments documents;
  private final TextEntry entry;
  private final int width;
  private final long[] hash = new long[2];
  private Cursor anchors;
  private Winnowing winnowing;
  private Words words;
  private long[] hashes;
  private CodePoints codePoints;
  private byte[] order;
  private byte[] id;

  /**
   * @param marks by {@link #marks}
   */
  WindowScan(int partition, Iterator<Tagged> tagged, Iterator<Entry> marks, DedupConfig config) {
    this.documents = new KeptDocuments(partition, tagged, marks);
    this.entry = new TextEntry(config);
    this.width = config.substrings().minUnits();
  }

  @Override
  protected boolean advance() {
    if (winnowing == null) {
      return open();
    }
    if (!winnowing.next()) {
      winnowing = null;
      return true;
    }
    int anchor = winnowing.anchor();
    while (anchors.at(documents.ref()) && Occurrence.index(anchors.head().second()) < anchor) {
      anchors.take();
    }
    if (anchors.at(documents.ref()) && Occurrence.index(anchors.head().second()) == anchor) {
      int from = winnowing.window();
      long place = Occurrence.place(from, codePoints.before(words.start(from)));
      byte[] payload = Occurrence.payload(order, id, documents.ref(), place);
      emit(Occurrence.of(hashes, from, width, hash, payload));
    }
    return true;
  }

  private boolean open() {
    if (!documents.next()) {
      return false;
    }
    if (!documents.isMarked()) {
      return true;
    }
    Document d = documents.document();
    anchors = documents.marked();
    boolean last = anchors.head().second() == LAST;
    if (last) {
      anchors.take();
    }
    words = Words.of(d.text());
    hashes = Occurrence.hashes(words);
    winnowing = new Winnowing(hashes, width);
    codePoints = new CodePoints(d.text());
    order = entry.order(d, last);
    id = d.id().getBytes(StandardCharsets.UTF_8);
    return true;
  }

  /**
   * What the scan has to know of documents.
   *
   * @param anchors (document's reference, {@link Occurrence#place} of a repeated anchor, …), sorted
   * @param last (reference) of documents that come after all others in the order of occurrences
   */
  static Iterator<Entry> marks(Iterator<Entry> anchors, Iterator<Entry> last) {
    Cursor places = new Cursor(anchors);
    Cursor documents = new Cursor(last);
    return new Step<>() {
      @Override
      protected boolean advance() {
        boolean document =
            !documents.ended()
                && (places.ended() || documents.head().first() <= places.head().first());
        if (document) {
          emit(new Entry(documents.take().first(), LAST));
        } else if (!places.ended()) {
          emit(places.take());
        } else {
          return false;
        }
        return true;
      }
    };
  }
}
