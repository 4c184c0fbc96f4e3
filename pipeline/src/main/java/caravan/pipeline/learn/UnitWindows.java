package caravan.pipeline.learn;

import caravan.pipeline.text.NgramModel;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/** Each unit of a text after those before it, by number from 1; 0 where nothing stands. */
final class UnitWindows implements NgramModel.UnitSink {
  private final LongIndex vocabulary;
  private final int order;
  private int[] ids = new int[64];
  private int size;

  UnitWindows(LongIndex vocabulary, int order) {
    this.vocabulary = vocabulary;
    this.order = order;
  }

  @Override
  public void unit(long unit) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
    }
    ids[size++] = unit != 0 && vocabulary.has(unit) ? vocabulary.of(unit) + 1 : 0;
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
