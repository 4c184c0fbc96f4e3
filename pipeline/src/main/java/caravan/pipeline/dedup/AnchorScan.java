package caravan.pipeline.dedup;

import caravan.pipeline.Tagged;
import caravan.pipeline.text.Words;
import java.util.Iterator;

/** The anchors of kept documents, as {@link Occurrence}s whose place is their first unit. */
final class AnchorScan extends Step<Entry> {
  private static final byte[] NOTHING = {};

  private final KeptDocuments documents;
  private final int width;
  private Winnowing winnowing;
  private int anchor;

  AnchorScan(int partition, Iterator<Tagged> tagged, int width) {
    this.documents = new KeptDocuments(partition, tagged, java.util.Collections.emptyIterator());
    this.width = width;
  }

  @Override
  protected boolean advance() {
    if (winnowing == null) {
      if (!documents.next()) {
        return false;
      }
      winnowing = new Winnowing(Occurrence.hashes(Words.of(documents.document().text())), width);
      anchor = -1;
    } else if (!winnowing.next()) {
      winnowing = null;
    } else if (winnowing.anchor() != anchor) {
      anchor = winnowing.anchor();
      long place = Occurrence.place(anchor, 0);
      byte[] payload = Occurrence.payload(NOTHING, NOTHING, documents.ref(), place);
      emit(new Entry(winnowing.anchorHash(), 0, payload));
    }
    return true;
  }
}
