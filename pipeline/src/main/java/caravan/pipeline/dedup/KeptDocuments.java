package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Tagged;
import java.util.Iterator;

/** The documents of a partition that steps before have kept, one in view. */
final class KeptDocuments {
  private final int partition;
  private final Iterator<Tagged> tagged;
  private final Cursor marked;
  private Document document;
  private long ref;
  private long ordinal;

  /**
   * @param marked entries that start with documents' references, sorted
   */
  KeptDocuments(int partition, Iterator<Tagged> tagged, Iterator<Entry> marked) {
    this.partition = partition;
    this.tagged = tagged;
    this.marked = new Cursor(marked);
  }

  /** Goes to the next one; false at the end. */
  boolean next() {
    while (tagged.hasNext()) {
      Tagged next = tagged.next();
      ref = Route.ref(partition, ordinal++);
      if (next.reason().equals(Documents.KEPT)) {
        document = next.document();
        return true;
      }
    }
    return false;
  }

  Document document() {
    return document;
  }

  /** The document's {@link Route#ref}. */
  long ref() {
    return ref;
  }

  /** Whether an entry names the document. */
  boolean isMarked() {
    marked.seek(ref);
    return marked.at(ref);
  }

  /** What names the document. */
  Cursor marked() {
    marked.seek(ref);
    return marked;
  }
}
