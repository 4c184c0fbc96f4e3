package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.Tagged;
import caravan.pipeline.text.Words;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;

/** The lines or paragraphs of kept documents that are long enough, as {@link Occurrence}s. */
final class LineScan extends Step<Entry> {
  private final KeptDocuments documents;
  private final TextEntry entry;
  private final LineConfig config;
  private final long[] hash = new long[2];
  private LinePieces lines;
  private Words words;
  private long[] hashes;
  private CodePoints codePoints;
  private byte[] order;
  private byte[] id;
  private int line;
  private int unit;

  /**
   * @param last documents that come after all others in the order of occurrences
   */
  LineScan(int partition, Iterator<Tagged> tagged, Iterator<Entry> last, DedupConfig config) {
    this.documents = new KeptDocuments(partition, tagged, last);
    this.entry = new TextEntry(config);
    this.config = config.lines();
  }

  @Override
  protected boolean advance() {
    if (lines == null || line == lines.count()) {
      return open();
    }
    int from = unit;
    while (unit < words.count() && words.start(unit) < lines.end(line)) {
      unit++;
    }
    if (unit - from >= config.minUnits()) {
      long place = Occurrence.place(line, codePoints.before(lines.start(line)));
      byte[] payload = Occurrence.payload(order, id, documents.ref(), place);
      emit(Occurrence.of(hashes, from, unit - from, hash, payload));
    }
    line++;
    return true;
  }

  private boolean open() {
    if (!documents.next()) {
      return false;
    }
    Document d = documents.document();
    lines = new LinePieces(d.text(), config.unit());
    words = Words.of(d.text());
    hashes = Occurrence.hashes(words);
    codePoints = new CodePoints(d.text());
    order = entry.order(d, documents.isMarked());
    id = d.id().getBytes(StandardCharsets.UTF_8);
    line = 0;
    unit = 0;
    return true;
  }
}
