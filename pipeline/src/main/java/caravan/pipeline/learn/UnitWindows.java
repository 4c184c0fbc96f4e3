package caravan.pipeline.learn;

import caravan.pipeline.text.Words;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/** Each unit of a text after those before it, by number from 1; 0 where nothing stands. */
final class UnitWindows {
  private final int order;
  private final int[] ids;
  private final int size;

  UnitWindows(Words words, LongIndex vocabulary, int order) {
    this.order = order;
    this.size = words.count();
    this.ids = new int[size];
    for (int i = 0; i < size; i++) {
      ids[i] = vocabulary.has(words.hash(i)) ? vocabulary.of(words.hash(i)) + 1 : 0;
    }
  }

  /** Rows of {@code order} numbers; what an unknown unit parts stands in no row together. */
  Iterator<Row> rows() {
    return new Iterator<>() {
      private int next = known(0);

      private int known(int from) {
        int i = from;
        while (i < size && ids[i] == 0) {
          i++;
        }
        return i;
      }

      @Override
      public boolean hasNext() {
        return next < size;
      }

      @Override
      public Row next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        Object[] window = new Object[order];
        Arrays.fill(window, 0);
        for (int back = 0; back < order && next - back >= 0 && ids[next - back] != 0; back++) {
          window[order - 1 - back] = ids[next - back];
        }
        next = known(next + 1);
        return RowFactory.create(window);
      }
    };
  }
}
