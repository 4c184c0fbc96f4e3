package caravan.pipeline.dedup;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.apache.spark.sql.Row;

/** The rows that a step makes of a partition's rows, one input row at a time. */
final class RowStream implements Iterator<Row> {
  private final Iterator<Row> input;
  private final BiConsumer<Row, Consumer<Row>> step;
  private final Queue<Row> ready = new ArrayDeque<>();

  /**
   * @param step takes an input row and hands on any number of output rows
   */
  RowStream(Iterator<Row> input, BiConsumer<Row, Consumer<Row>> step) {
    this.input = input;
    this.step = step;
  }

  @Override
  public boolean hasNext() {
    while (ready.isEmpty() && input.hasNext()) {
      step.accept(input.next(), ready::add);
    }
    return !ready.isEmpty();
  }

  @Override
  public Row next() {
    if (!hasNext()) {
      throw new NoSuchElementException("no more rows");
    }
    return ready.remove();
  }
}
