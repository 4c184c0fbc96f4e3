package caravan.pipeline.dedup;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;

/**
 * Makes entries of what comes in, a bit at a time: no partition is ever held.
 *
 * @param <O> what comes out
 */
abstract class Step<O> implements Iterator<O> {
  private final Queue<O> ready = new ArrayDeque<>();

  /** Goes on in the input, and emits any number of values; false at its end. */
  protected abstract boolean advance();

  protected final void emit(O value) {
    ready.add(value);
  }

  @Override
  public final boolean hasNext() {
    while (ready.isEmpty()) {
      if (!advance()) {
        return !ready.isEmpty();
      }
    }
    return true;
  }

  @Override
  public final O next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the partition has ended");
    }
    return ready.remove();
  }
}
