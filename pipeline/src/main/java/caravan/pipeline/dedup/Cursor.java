package caravan.pipeline.dedup;

import java.util.Iterator;

/** Sorted entries, one ahead in view. */
final class Cursor {
  private final Iterator<Entry> entries;
  private Entry head;

  Cursor(Iterator<Entry> entries) {
    this.entries = entries;
    this.head = entries.hasNext() ? entries.next() : null;
  }

  boolean ended() {
    return head == null;
  }

  /** The next entry; null at the end. */
  Entry head() {
    return head;
  }

  Entry take() {
    Entry taken = head;
    head = entries.hasNext() ? entries.next() : null;
    return taken;
  }

  boolean at(long first) {
    return head != null && head.first() == first;
  }

  /** Goes to the first entry that is not below {@code first}. */
  void seek(long first) {
    while (head != null && head.first() < first) {
      take();
    }
  }
}
