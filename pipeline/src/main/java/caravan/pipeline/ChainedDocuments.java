package caravan.pipeline;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import org.apache.spark.TaskContext;

/** The documents of several splits, one split after the other; each is closed when it ends. */
public final class ChainedDocuments extends DocumentIterator {
  private final Iterator<DocumentIterator> splits;
  private DocumentIterator current;

  private ChainedDocuments(Iterator<DocumentIterator> splits) {
    this.splits = splits;
  }

  /** Within a Spark task, at whose end the split that is being read is closed. */
  public static DocumentIterator of(Iterator<DocumentIterator> splits) {
    ChainedDocuments documents = new ChainedDocuments(splits);
    TaskContext.get()
        .addTaskCompletionListener(
            context -> {
              try {
                documents.close();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    return documents;
  }

  @Override
  protected Document advance() throws IOException {
    while (current != null || splits.hasNext()) {
      current = current == null ? splits.next() : current;
      if (current.hasNext()) {
        return current.next();
      }
      close();
    }
    return null;
  }

  @Override
  protected boolean skipped() throws IOException {
    while (current != null || splits.hasNext()) {
      current = current == null ? splits.next() : current;
      if (current.skip()) {
        return true;
      }
      close();
    }
    return false;
  }

  @Override
  public void close() throws IOException {
    if (current != null) {
      current.close();
      current = null;
    }
  }
}
