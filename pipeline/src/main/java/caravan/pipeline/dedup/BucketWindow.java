package caravan.pipeline.dedup;

/**
 * Pairs the members of each LSH bucket without ever holding a bucket. Members arrive sorted by
 * bucket, then key. The first {@code width + 1} members of a bucket are paired with each other: no
 * bucket up to that size loses a pair. Each later one is paired with the members 1, 2, 4, 8 …
 * {@code width} places before it (a thinned sorted-neighbourhood method, Hernández and Stolfo, "The
 * Merge/Purge Problem for Large Databases", 1995): a bucket of a million copies of one template
 * costs a few million pairs instead of 5·10^11, no document is in more than a few of them, and
 * similar members stay connected.
 *
 * <p>One instance per partition.
 */
final class BucketWindow {
  private final long[] recent;
  private final boolean[] recentIsNew;
  private final long[] partners;
  private long bucket;
  private long members;

  /**
   * @param width members before one that it can be paired with, at least 1
   */
  BucketWindow(int width) {
    recent = new long[width];
    recentIsNew = new boolean[width];
    partners = new long[width];
  }

  /**
   * Takes the next member.
   *
   * @param isNew whether it is of this run; two that are not were compared earlier
   * @return how many of {@link #partners} it is to be compared with; 0 for a key that the bucket
   *     already holds
   */
  int accept(long nextBucket, long key, boolean isNew) {
    if (members == 0 || nextBucket != bucket) {
      bucket = nextBucket;
      members = 0;
    } else if (before(1) == key) {
      return 0;
    }
    int count = 0;
    if (members <= recent.length) {
      for (int distance = 1; distance <= members; distance++) {
        count = propose(distance, isNew, count);
      }
    } else {
      for (int distance = 1; distance <= recent.length; distance *= 2) {
        count = propose(distance, isNew, count);
      }
    }
    int slot = (int) (members++ % recent.length);
    recent[slot] = key;
    recentIsNew[slot] = isNew;
    return count;
  }

  long partner(int index) {
    return partners[index];
  }

  private int propose(int distance, boolean isNew, int count) {
    if (!isNew && !recentIsNew[(int) ((members - distance) % recent.length)]) {
      return count;
    }
    partners[count] = before(distance);
    return count + 1;
  }

  private long before(int distance) {
    return recent[(int) ((members - distance) % recent.length)];
  }
}
