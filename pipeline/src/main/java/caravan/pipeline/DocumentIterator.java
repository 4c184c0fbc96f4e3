package caravan.pipeline;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** Documents of one split, in order. The task that reads them closes it. */
public abstract class DocumentIterator implements Iterator<Document>, Closeable {
  private Document next;
  private boolean ended;

  /** The next document; null at the end. */
  protected abstract Document advance() throws IOException;

  /** Goes over the next document, with less work where the format allows; false at the end. */
  protected boolean skipped() throws IOException {
    return advance() != null;
  }

  /** Goes over the next document; false at the end. */
  public final boolean skip() {
    if (next != null) {
      next = null;
      return true;
    }
    try {
      ended = ended || !skipped();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return !ended;
  }

  @Override
  public final boolean hasNext() {
    if (next == null && !ended) {
      try {
        next = advance();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      ended = next == null;
    }
    return next != null;
  }

  @Override
  public final Document next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    Document document = next;
    next = null;
    return document;
  }
}
