package caravan.pipeline.dedup;

import java.util.Iterator;

/**
 * A step that makes any number of values of each one that comes in.
 *
 * @param <I> what comes in
 * @param <O> what comes out
 */
abstract class Each<I, O> extends Step<O> {
  private final Iterator<I> in;

  Each(Iterator<I> in) {
    this.in = in;
  }

  /** Emits what is made of one value. */
  protected abstract void take(I value);

  @Override
  protected final boolean advance() {
    if (!in.hasNext()) {
      return false;
    }
    take(in.next());
    return true;
  }
}
