package caravan.pipeline.dedup;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Queue;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * What a step makes of a partition, one input value at a time.
 *
 * @param <I> what comes in
 * @param <O> what comes out
 */
final class Expansion<I, O> implements Iterator<O> {
  private final Iterator<I> input;
  private final BiConsumer<I, Consumer<O>> step;
  private final Queue<O> ready = new ArrayDeque<>();

  /**
   * @param step takes an input value and hands on any number of output values
   */
  Expansion(Iterator<I> input, BiConsumer<I, Consumer<O>> step) {
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
  public O next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the partition has ended");
    }
    return ready.remove();
  }
}
