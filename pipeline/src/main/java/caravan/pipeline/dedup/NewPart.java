package caravan.pipeline.dedup;

import java.util.Iterator;

/** What a run's part of an index is made of. */
final class NewPart {
  private NewPart() {}

  /**
   * @param texts (key, 0, {@link TextEntry}), sorted
   * @return (key, key) of each that has shingles
   */
  static Iterator<Entry> withShingles(Iterator<Entry> texts) {
    return new Texts(texts) {
      @Override
      void text(Entry text) {
        if (TextEntry.buckets(text.payload()).length > 0) {
          emit(new Entry(text.first(), text.first()));
        }
      }
    };
  }

  /**
   * @param texts as above
   * @param falls {@link Fall} of those that did not stay, sorted
   * @return {@link IndexedText}
   */
  static Iterator<Entry> texts(Iterator<Entry> texts, Iterator<Entry> falls) {
    Cursor cursor = new Cursor(falls);
    return new Texts(texts) {
      @Override
      void text(Entry text) {
        long key = text.first();
        byte[] id = TextEntry.id(text.payload());
        cursor.seek(key);
        if (cursor.at(key)) {
          byte[] fall = cursor.head().payload();
          double similarity = Double.longBitsToDouble(cursor.head().second());
          emit(new IndexedText(key, Fall.root(fall), similarity, id, Fall.id(fall)).entry());
        } else {
          emit(new IndexedText(key, key, 1, id, id).entry());
        }
      }
    };
  }

  /** {@link Fall} to (key of what stays, key that falls, payload). */
  static Iterator<Entry> byRoot(Iterator<Entry> falls) {
    return new Step<>() {
      @Override
      protected boolean advance() {
        if (!falls.hasNext()) {
          return false;
        }
        Entry fall = falls.next();
        emit(new Entry(Fall.root(fall.payload()), fall.first(), fall.payload()));
        return true;
      }
    };
  }

  /** The first entry of each key. */
  private abstract static class Texts extends Step<Entry> {
    private final Cursor texts;

    Texts(Iterator<Entry> texts) {
      this.texts = new Cursor(texts);
    }

    @Override
    protected final boolean advance() {
      if (texts.ended()) {
        return false;
      }
      Entry text = texts.take();
      text(text);
      while (texts.at(text.first())) {
        texts.take();
      }
      return true;
    }

    abstract void text(Entry text);
  }
}
