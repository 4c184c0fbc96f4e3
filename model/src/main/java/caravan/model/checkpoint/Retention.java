package caravan.model.checkpoint;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which checkpoints of a training stay beside the best one.
 *
 * @param keepLast how many of the newest, at least 1
 * @param keepEvery steps of which the first checkpoint at or past each multiple stays for good; 0
 *     for none
 */
record Retention(int keepLast, int keepEvery) {
  Retention {
    if (keepLast < 1) {
      throw new IllegalArgumentException("keep-last: got " + keepLast + ", wanted at least 1");
    }
  }

  /**
   * @param finished steps, ascending
   */
  Set<Long> kept(List<Long> finished) {
    Set<Long> kept =
        new TreeSet<>(finished.subList(Math.max(0, finished.size() - keepLast), finished.size()));
    long before = 0;
    for (long step : finished) {
      if (keepEvery > 0 && step / keepEvery != before / keepEvery) {
        kept.add(step);
      }
      before = step;
    }
    return kept;
  }
}
