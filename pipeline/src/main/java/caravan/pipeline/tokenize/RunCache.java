package caravan.pipeline.tokenize;

/**
 * Remembers the ids of short runs of characters: direct-mapped, the newest in a slot stays. 64
 * bytes a slot, side by side, so that a hit touches two cache lines. Not thread-safe.
 */
final class RunCache {
  /** Longer runs are not remembered. */
  static final int MAX_CHARS = 15;

  /** Runs of more ids are not remembered. */
  static final int MAX_IDS = 7;

  private static final int SLOTS = 1 << 15;

  /** Per slot the number of chars, and the chars. */
  private final char[] keys = new char[SLOTS * (MAX_CHARS + 1)];

  /** Per slot the number of ids, and the ids. */
  private final int[] ids = new int[SLOTS * (MAX_IDS + 1)];

  /** The slot of a run of 1 to {@link #MAX_CHARS} chars. */
  static int slot(char[] text, int start, int end) {
    int hash = 0;
    for (int i = start; i < end; i++) hash = 31 * hash + text[i];
    hash *= 0x9E3779B1;
    return (hash ^ hash >>> 16) & SLOTS - 1;
  }

  /** Appends the ids of a run and says true, or false if the slot does not hold it. */
  boolean appendTo(TokenBuffer to, int slot, char[] text, int start, int end) {
    int key = slot * (MAX_CHARS + 1);
    int length = end - start;
    if (keys[key] != length) return false;
    for (int i = 0; i < length; i++) {
      if (keys[key + 1 + i] != text[start + i]) return false;
    }
    int first = slot * (MAX_IDS + 1);
    to.add(ids, first + 1, ids[first]);
    return true;
  }

  /** Remembers that a run has the ids of a buffer from a position on, if they are few enough. */
  void put(int slot, char[] text, int start, int end, TokenBuffer from, int position) {
    int count = from.size() - position;
    if (count > MAX_IDS) return;
    int key = slot * (MAX_CHARS + 1);
    keys[key] = (char) (end - start);
    System.arraycopy(text, start, keys, key + 1, end - start);
    int first = slot * (MAX_IDS + 1);
    ids[first] = count;
    for (int i = 0; i < count; i++) ids[first + 1 + i] = from.get(position + i);
  }
}
