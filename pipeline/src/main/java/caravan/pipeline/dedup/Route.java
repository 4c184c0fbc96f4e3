package caravan.pipeline.dedup;

/** Which partition an entry goes to. */
enum Route {
  /** By the hash of {@link Entry#first}: entries with the same one meet. */
  HASH {
    @Override
    int partition(long first, int partitions) {
      return Math.floorMod(Shingles.mix(first ^ 0x5851F42D4C957F2DL), partitions);
    }

    @Override
    long sortable(long first) {
      return first;
    }
  },
  /**
   * By the size of {@link Entry#first}, which is to be a well-mixed hash: each partition holds a
   * range, and files that are sorted by it need be read in part alone.
   */
  RANGE {
    @Override
    int partition(long first, int partitions) {
      return (int) (((first ^ Long.MIN_VALUE) >>> Integer.SIZE) * partitions >>> Integer.SIZE);
    }

    @Override
    long sortable(long first) {
      return first;
    }
  },
  /** To the partition that holds the document which {@link Entry#first} names; see {@link #ref}. */
  DOCUMENT {
    @Override
    int partition(long first, int partitions) {
      int partition = (int) (first >>> ORDINAL_BITS);
      if (partition >= partitions) {
        throw new IllegalStateException(
            "document in partition %d of %d; report a defect".formatted(partition, partitions));
      }
      return partition;
    }

    @Override
    long sortable(long first) {
      return first << (Long.SIZE - ORDINAL_BITS);
    }
  };

  private static final int ORDINAL_BITS = 40;

  abstract int partition(long first, int partitions);

  /** A number whose upper 40 bits sort entries of one partition as {@link Entry#first} does. */
  abstract long sortable(long first);

  /**
   * Names a document by its place, which is the same in each reading.
   *
   * @param partition of the documents, below 2^23
   * @param ordinal place in the partition, below 2^39
   */
  static long ref(int partition, long ordinal) {
    return (long) partition << ORDINAL_BITS | ordinal;
  }

  static int partitionOf(long ref) {
    return (int) (ref >>> ORDINAL_BITS);
  }

  static long ordinal(long ref) {
    return ref & ((1L << ORDINAL_BITS) - 1);
  }
}
