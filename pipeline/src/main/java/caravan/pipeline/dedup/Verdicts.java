package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentDeletion;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.IdSet;
import caravan.pipeline.Tagged;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;

/** Which documents are dropped, why, and for which: (reference, similarity's bits, kind and id). */
final class Verdicts {
  private static final long ONE = Double.doubleToLongBits(1);

  private Verdicts() {}

  /**
   * @param texts (key, 0, {@link TextEntry}), sorted
   * @param falls of texts, {@link Fall}, sorted
   */
  static Iterator<Entry> of(Iterator<Entry> texts, Iterator<Entry> falls) {
    return new OfTexts(texts, falls);
  }

  /** The last reading: each document with its verdict. */
  static Iterator<Tagged> tagged(
      int partition, DocumentIterator documents, Iterator<Entry> verdicts, IdSet deleted) {
    return new Tagging(partition, documents, verdicts, deleted);
  }

  private static final class OfTexts extends Step<Entry> {
    private final Cursor texts;
    private final Cursor falls;

    OfTexts(Iterator<Entry> texts, Iterator<Entry> falls) {
      this.texts = new Cursor(texts);
      this.falls = new Cursor(falls);
    }

    @Override
    protected boolean advance() {
      if (texts.ended()) {
        return false;
      }
      Entry best = texts.take();
      falls.seek(best.first());
      boolean isFallen = falls.at(best.first());
      byte[] fall = isFallen ? falls.head().payload() : null;
      byte[] twin = isFallen ? Fall.id(fall) : TextEntry.id(best.payload());
      long similarity = isFallen ? falls.head().second() : ONE;
      byte[] payload = new byte[twin.length + 1];
      payload[0] = isFallen ? (byte) (Fall.kind(fall) & Fall.NEAR) : Fall.EXACT;
      System.arraycopy(twin, 0, payload, 1, twin.length);
      if (isFallen) {
        emit(new Entry(TextEntry.ref(best.payload()), similarity, payload));
      }
      while (texts.at(best.first())) {
        emit(new Entry(TextEntry.ref(texts.take().payload()), similarity, payload));
      }
      return true;
    }
  }

  private static final class Tagging extends Step<Tagged> {
    private final int partition;
    private final DocumentIterator documents;
    private final Cursor verdicts;
    private final IdSet deleted;
    private long ordinal;

    Tagging(int partition, DocumentIterator documents, Iterator<Entry> verdicts, IdSet deleted) {
      this.deleted = deleted;
      this.partition = partition;
      this.documents = documents;
      this.verdicts = new Cursor(verdicts);
    }

    @Override
    protected boolean advance() {
      if (!documents.hasNext()) {
        if (!verdicts.ended()) {
          throw new IllegalStateException(
              "dedup: the input has fewer documents than at the first reading; it changes while it"
                  + " is read: run again");
        }
        return false;
      }
      Document document = documents.next();
      long ref = Route.ref(partition, ordinal++);
      emit(Documents.taggedIfUnreadable(document).orElseGet(() -> verdict(document, ref)));
      return true;
    }

    private Tagged verdict(Document document, long ref) {
      if (deleted.contains(document.id())) {
        return DocumentDeletion.tagged(document);
      }
      return verdicts.at(ref) ? dropped(document, verdicts.take()) : kept(document);
    }

    private static Tagged kept(Document d) {
      return tagged(d, Documents.KEPT, "");
    }

    private static Tagged dropped(Document d, Entry verdict) {
      byte[] payload = verdict.payload();
      String twin =
          new String(Arrays.copyOfRange(payload, 1, payload.length), StandardCharsets.UTF_8);
      boolean near = payload[0] == Fall.NEAR;
      String what = near ? "near duplicate of " : "same text as ";
      double similarity = Double.longBitsToDouble(verdict.second());
      return tagged(
          d,
          near ? DedupStage.NEAR_DUPLICATE : DedupStage.EXACT_DUPLICATE,
          what + twin + String.format(Locale.ROOT, ", Jaccard %.3f", similarity));
    }

    private static Tagged tagged(Document d, String reason, String detail) {
      return new Tagged(d, reason, detail, d.text().codePointCount(0, d.text().length()), Map.of());
    }
  }
}
