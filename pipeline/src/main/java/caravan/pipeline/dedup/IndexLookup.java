package caravan.pipeline.dedup;

import caravan.pipeline.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;

/**
 * Entries of one kind in several parts of an index, in order, for a Spark task that asks for
 * ascending numbers: files and blocks between them are not read. Among equal entries those of
 * earlier parts come first.
 */
final class IndexLookup {
  private final Storage storage;
  private final Path index;
  private final PriorityQueue<Source> sources = new PriorityQueue<>();

  /**
   * @param part its number, by age
   */
  record Located(int part, IndexFile file) implements java.io.Serializable {}

  /** Files are closed when the task ends. */
  IndexLookup(Storage storage, Path index, List<Located> files) {
    this.storage = storage;
    this.index = index;
    List<Source> all = new ArrayList<>();
    files.forEach(file -> all.add(new Source(file)));
    sources.addAll(all);
    TaskContext.get()
        .addTaskCompletionListener(
            context -> {
              all.forEach(Source::close);
            });
  }

  /** Goes to the first entry whose {@link Entry#first} is not below {@code first}. */
  void seek(long first) {
    while (!sources.isEmpty() && sources.peek().first() < first) {
      Source source = sources.remove();
      if (source.seek(first)) {
        sources.add(source);
      }
    }
  }

  boolean isEnded() {
    return sources.isEmpty();
  }

  /** Whether the next entry has this {@link Entry#first}. */
  boolean at(long first) {
    return !sources.isEmpty() && sources.peek().first() == first;
  }

  /** The next entry. */
  Entry head() {
    return sources.peek().head();
  }

  /** The number of the part that has it. */
  int part() {
    return sources.peek().located.part();
  }

  Entry take() {
    Source source = sources.remove();
    Entry taken = source.head();
    if (source.pass()) {
      sources.add(source);
    }
    return taken;
  }

  private final class Source implements Comparable<Source> {
    private final Located located;
    private IndexFileReader reader;

    Source(Located located) {
      this.located = located;
    }

    long first() {
      return reader == null ? located.file().first() : reader.head().first();
    }

    Entry head() {
      return open().head();
    }

    /** False when the file has no such entry. */
    boolean seek(long first) {
      if (located.file().last() < first) {
        return false;
      }
      open().seek(first);
      return reader.head() != null;
    }

    boolean pass() {
      open().take();
      return reader.head() != null;
    }

    private IndexFileReader open() {
      if (reader == null) {
        try {
          reader = new IndexFileReader(storage, index, located.file());
        } catch (IOException e) {
          throw new UncheckedIOException(located.file().path() + ": cannot open it", e);
        }
      }
      return reader;
    }

    void close() {
      try {
        if (reader != null) {
          reader.close();
        }
      } catch (IOException e) {
        throw new UncheckedIOException(located.file().path() + ": cannot close it", e);
      }
    }

    @Override
    public int compareTo(Source other) {
      int order = Long.compare(first(), other.first());
      if (order == 0) { // few: the files of a part do not overlap
        order = Entry.ORDER.compare(head(), other.head());
      }
      return order != 0 ? order : Integer.compare(located.part(), other.located.part());
    }
  }
}
