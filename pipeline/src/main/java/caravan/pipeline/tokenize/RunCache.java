package caravan.pipeline.tokenize;

/**
 * Remembers the ids of short runs of characters. A set has two places: a new run takes the second,
 * and a run that is met again there moves to the first, so that the many that come once only push
 * out each other. 64 bytes a place. Not thread-safe.
 */
final class RunCache {
  /** Longer runs are not remembered. */
  static final int MAX_CHARS = 15;

  /** Runs of more ids are not remembered. */
  static final int MAX_IDS = 7;

  private static final int SETS = 1 << 15;
  private static final int KEY = MAX_CHARS + 1;
  private static final int VALUE = MAX_IDS + 1;

  /** Per place the number of chars, and the chars. */
  private final char[] keys = new char[2 * SETS * KEY];

  /** Per place the number of ids, and the ids. */
  private final int[] ids = new int[2 * SETS * VALUE];

  /** The first place of a run of 1 to {@link #MAX_CHARS} chars. */
  static int place(char[] text, int start, int end) {
    int hash = 0;
    for (int i = start; i < end; i++) hash = 31 * hash + text[i];
    hash *= 0x9E3779B1;
    return 2 * ((hash ^ hash >>> 15) & SETS - 1);
  }

  /** Appends the ids of a run and says true, or false if it is not known. */
  boolean appendTo(TokenBuffer to, int place, char[] text, int start, int end) {
    if (!holds(place, text, start, end)) {
      if (!holds(place + 1, text, start, end)) return false;
      swap(place);
    }
    to.add(ids, place * VALUE + 1, ids[place * VALUE]);
    return true;
  }

  private boolean holds(int place, char[] text, int start, int end) {
    int key = place * KEY;
    int length = end - start;
    if (keys[key] != length) return false;
    for (int i = 0; i < length; i++) {
      if (keys[key + 1 + i] != text[start + i]) return false;
    }
    return true;
  }

  private void swap(int place) {
    for (int i = place * KEY; i < (place + 1) * KEY; i++) {
      char key = keys[i];
      keys[i] = keys[i + KEY];
      keys[i + KEY] = key;
    }
    for (int i = place * VALUE; i < (place + 1) * VALUE; i++) {
      int value = ids[i];
      ids[i] = ids[i + VALUE];
      ids[i + VALUE] = value;
    }
  }

  /** Remembers that a run has the ids of a buffer from a position on, if they are few enough. */
  void put(int place, char[] text, int start, int end, TokenBuffer from, int position) {
    int count = from.size() - position;
    if (count > MAX_IDS) return;
    int key = (place + 1) * KEY;
    keys[key] = (char) (end - start);
    System.arraycopy(text, start, keys, key + 1, end - start);
    int value = (place + 1) * VALUE;
    ids[value] = count;
    for (int i = 0; i < count; i++) ids[value + 1 + i] = from.get(position + i);
  }
}
