package caravan.pipeline.read;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.SourceFile;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import org.apache.hadoop.fs.Path;

/**
 * Files that are read from their start. What a task does not take of a file it reads over. A file
 * that is cut off or damaged gives the records before that, and one unreadable record.
 */
record StreamedFiles(StreamFormat format, Records records) implements SplitFormat {
  @Override
  public Cut cut(SourceFile file) {
    return format.oneDocument() ? Cut.NONE : Cut.SLICES;
  }

  @Override
  public DocumentIterator open(Split split, Storage storage) throws IOException {
    return new Slice(split, new Stored(storage.open(new Path(split.file().path()))));
  }

  /** Remembers whether an error came from the storage, which is no fault of the file. */
  private static final class Stored extends FilterInputStream {
    private IOException failure;

    Stored(InputStream in) {
      super(in);
    }

    @Override
    public int read() throws IOException {
      try {
        return super.read();
      } catch (IOException e) {
        failure = e;
        throw e;
      }
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
      try {
        return super.read(buffer, offset, length);
      } catch (IOException e) {
        failure = e;
        throw e;
      }
    }
  }

  private final class Slice extends DocumentIterator {
    private final Split split;
    private final Stored stored;
    private DocumentIterator documents;
    private long number;
    private boolean damaged;

    Slice(Split split, Stored stored) {
      this.split = split;
      this.stored = stored;
    }

    @Override
    protected Document advance() throws IOException {
      while (!damaged) {
        boolean mine = number % split.slices() == split.slice();
        try {
          if (documents == null) {
            SourceFile file = split.file();
            documents = format.open(file, Compression.decompress(file.relativePath(), stored));
          }
          if (mine ? !documents.hasNext() : !documents.skip()) {
            return null;
          }
          number++;
          if (mine) {
            return documents.next();
          }
        } catch (IOException e) {
          damaged = true;
          return unlessStorageFailed(e, mine);
        } catch (UncheckedIOException e) {
          damaged = true;
          return unlessStorageFailed(e.getCause(), mine);
        }
      }
      return null;
    }

    private Document unlessStorageFailed(IOException e, boolean mine) throws IOException {
      if (stored.failure != null) {
        throw new IOException(split.file().path() + ": cannot read it", e);
      }
      String detail =
          "file cut off or damaged after %,d records: %s".formatted(number, e.getMessage());
      return mine ? records.broken(split.file(), -1, "", detail) : null;
    }

    @Override
    public void close() throws IOException {
      if (documents != null) {
        documents.close();
      }
      stored.close();
    }
  }
}
