package caravan.pipeline.dedup;

/**
 * Chooses an anchor for each window of {@code width} units: of the runs of {@code width / 2} units
 * in the window the one with the smallest hash, of equal ones the last (Schleimer, Wilkerson and
 * Aiken, "Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD 2003). What is chosen
 * depends on the window alone: equal windows, wherever they are, have equal anchors in the same
 * place. So texts that share no anchor share no window, and of random text only every fourteenth
 * unit starts an anchor at a width of 50.
 *
 * <p>Goes from window to window, in constant time on average.
 */
final class Winnowing {
  private static final long MULTIPLIER = 0x9E3779B97F4A7C15L;

  private final long[] units;
  private final int width;
  private final int run;
  private final long oldestPower;

  /** Runs that are smaller than all after them, as a ring: places and hashes. */
  private final int[] places;

  private final long[] hashes;
  private int head;
  private int size;
  private long rolling;
  private int nextUnit;
  private int window = -1;

  /**
   * @param units hashes of the text's units
   * @param width at least 2
   */
  Winnowing(long[] units, int width) {
    this.units = units;
    this.width = width;
    this.run = width / 2;
    int held = width - run + 1;
    this.places = new int[held];
    this.hashes = new long[held];
    long power = 1;
    for (int i = 1; i < run; i++) {
      power *= MULTIPLIER;
    }
    this.oldestPower = power;
  }

  /** Goes to the next window; false at the end of the text. */
  boolean next() {
    window++;
    if (window + width > units.length) {
      return false;
    }
    while (nextUnit < window + width) {
      take();
    }
    while (places[head] < window) {
      head = (head + 1) % places.length;
      size--;
    }
    return true;
  }

  private void take() {
    if (nextUnit >= run) {
      rolling -= units[nextUnit - run] * oldestPower;
    }
    rolling = rolling * MULTIPLIER + units[nextUnit++];
    int place = nextUnit - run;
    if (place < 0) {
      return;
    }
    long hash = Shingles.mix(rolling) & Long.MAX_VALUE;
    while (size > 0 && hashes[(head + size - 1) % places.length] >= hash) {
      size--;
    }
    if (size > 0 && places[head] < window) {
      head = (head + 1) % places.length;
      size--;
    }
    places[(head + size) % places.length] = place;
    hashes[(head + size) % places.length] = hash;
    size++;
  }

  /** The window's first unit. */
  int window() {
    return window;
  }

  /** The first unit of the window's anchor. */
  int anchor() {
    return places[head];
  }

  /** The anchor's hash, not negative. */
  long anchorHash() {
    return hashes[head];
  }
}
