package caravan.pipeline.dedup;

import java.util.ArrayDeque;
import java.util.Deque;

/** Entries that the executors keep until all is done. */
final class Cache implements AutoCloseable {
  private final Deque<Entries> kept = new ArrayDeque<>();

  Entries keep(Entries entries) {
    kept.push(entries.cached());
    return entries;
  }

  /** Takes over entries that are kept already. */
  Entries add(Entries cached) {
    kept.push(cached);
    return cached;
  }

  @Override
  public void close() {
    kept.forEach(Entries::close);
  }
}
