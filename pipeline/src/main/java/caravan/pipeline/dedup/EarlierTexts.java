package caravan.pipeline.dedup;

import java.util.Iterator;

/** What this run's texts have to do with those of earlier runs, which an index holds. */
final class EarlierTexts {
  private EarlierTexts() {}

  /**
   * @param texts (key, 0, {@link TextEntry}), sorted by {@link Route#RANGE}
   * @return {@link Fall} of each text that is in the index
   */
  static Entries known(Entries texts, IndexFiles earlier) {
    return texts.map(part -> new Known(part, earlier.lookup(IndexFile.Kind.TEXTS)));
  }

  /** The texts that are not. */
  static Entries fresh(Entries texts, Entries known) {
    return texts.merge(known, (a, b) -> new Selected(a, b, false));
  }

  /**
   * Replaces texts of earlier runs by those that they fell to.
   *
   * @param edges (a, b), at least one of them of this run
   * @return (a, b) of texts that have not fallen
   */
  static Entries contracted(Entries edges, IndexFiles earlier) {
    Entries result = edges;
    for (int end = 0; end < 2; end++) {
      result =
          result
              .sorted(edges.partitionCount(), Route.RANGE)
              .map(part -> new Contracted(part, earlier.lookup(IndexFile.Kind.TEXTS)));
    }
    return result;
  }

  /**
   * Edges of which both ends are among the nodes.
   *
   * @param nodes (key, 0)
   */
  static Entries among(Entries edges, Entries nodes) {
    int partitions = edges.partitionCount();
    Entries sorted = nodes.sorted(partitions, Route.RANGE);
    Entries result = edges;
    for (int end = 0; end < 2; end++) {
      result =
          result
              .sorted(partitions, Route.RANGE)
              .merge(sorted, (a, b) -> new Selected(a, b, true))
              .map(Turned::new);
    }
    return result;
  }

  private static final class Known extends Step<Entry> {
    private final Cursor texts;
    private final IndexLookup earlier;

    Known(Iterator<Entry> texts, IndexLookup earlier) {
      this.texts = new Cursor(texts);
      this.earlier = earlier;
    }

    @Override
    protected boolean advance() {
      if (texts.ended()) {
        return false;
      }
      long key = texts.head().first();
      long copies = 0;
      for (; texts.at(key); texts.take()) {
        copies++;
      }
      earlier.seek(key);
      if (earlier.at(key)) {
        IndexedText same = IndexedText.of(earlier.head());
        int kind = Fall.EARLIER + (same.stayed() ? Fall.EXACT : Fall.NEAR);
        byte[] fall = Fall.payload(kind, same.root(), copies, 1, same.rootId());
        emit(new Entry(key, Double.doubleToLongBits(same.similarity()), fall));
      }
      return true;
    }
  }

  /** Entries whose first number is, or is not, among others. */
  private static final class Selected extends Each<Entry, Entry> {
    private final Cursor others;
    private final boolean wanted;

    Selected(Iterator<Entry> entries, Iterator<Entry> others, boolean wanted) {
      super(entries);
      this.others = new Cursor(others);
      this.wanted = wanted;
    }

    @Override
    protected void take(Entry entry) {
      others.seek(entry.first());
      if (others.at(entry.first()) == wanted) {
        emit(entry);
      }
    }
  }

  /** (a, b) to (b, the text that stands for a). */
  private static final class Contracted extends Each<Entry, Entry> {
    private final IndexLookup earlier;

    Contracted(Iterator<Entry> edges, IndexLookup earlier) {
      super(edges);
      this.earlier = earlier;
    }

    @Override
    protected void take(Entry edge) {
      earlier.seek(edge.first());
      boolean isEarlier = earlier.at(edge.first());
      emit(new Entry(edge.second(), isEarlier ? earlier.head().second() : edge.first()));
    }
  }

  private static final class Turned extends Each<Entry, Entry> {
    Turned(Iterator<Entry> edges) {
      super(edges);
    }

    @Override
    protected void take(Entry edge) {
      emit(new Entry(edge.second(), edge.first()));
    }
  }
}
