package caravan.model.train;

/**
 * The order in which workers visit the sequences. Each epoch gives every worker a slice of its own,
 * {@code size / slices} sequences that lie side by side; the cuts move from epoch to epoch, so that
 * the fewer than {@code slices} sequences left over are others each time. A worker's position p,
 * counted over all epochs, belongs to epoch p / slice and is there the image of p mod slice under
 * that epoch's seeded permutation (a four-round Feistel network with cycle walking: Black and
 * Rogaway, CT-RSA 2002), so any position is found without storing or shuffling anything.
 *
 * <p>A slice of more than a window is permuted in two steps: blocks of neighbours over the whole
 * slice, then the sequences of each run of {@value #BLOCKS_PER_WINDOW} blocks. At any time a worker
 * so reads from that many places, each of which can be kept in memory.
 *
 * @param size number of sequences, at least 1
 * @param seed chooses the permutations
 * @param slices number of workers, at least 1
 * @param window sequences that are permuted one by one, at least {@value #BLOCKS_PER_WINDOW}
 */
public record SequenceOrder(long size, long seed, int slices, long window) implements ReadingOrder {
  private static final int BLOCKS_PER_WINDOW = 16;

  /** 32 to 64 MB on disk: a worker keeps so much of what it reads from an object store. */
  private static final long WINDOW_TOKENS = 1 << 24;

  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  public SequenceOrder {
    if (size < 1) {
      throw new IllegalArgumentException(
          "training data: got " + size + " sequences, wanted at least 1");
    }
    if (slices < 1 || window < BLOCKS_PER_WINDOW) {
      throw new IllegalArgumentException(
          "order of sequences: got %d slices and a window of %d, wanted at least 1 and %d"
              .formatted(slices, window, BLOCKS_PER_WINDOW));
    }
  }

  /** All sequences for one worker, each epoch one permutation of them. */
  public SequenceOrder(long size, long seed) {
    this(size, seed, 1, Math.max(size, BLOCKS_PER_WINDOW));
  }

  /** The order of a training's data. */
  static SequenceOrder of(SequenceSource source, long seed, int workers) {
    long window = Math.max(BLOCKS_PER_WINDOW, WINDOW_TOKENS / source.sequenceLength());
    return new SequenceOrder(source.size(), seed, workers, window);
  }

  /** Index of the sequence at a position of the only slice. */
  public long indexAt(long position) {
    return indexAt(0, position);
  }

  /** Index of the sequence at a position of a worker's slices. */
  @Override
  public long indexAt(int slice, long position) {
    long length = Math.max(1, size / slices);
    long epoch = position / length;
    long key = mix(seed + epoch * GOLDEN);
    long cut = slices == 1 ? 0 : Long.remainderUnsigned(mix(key + slices), size);
    return (cut + slice * length + within(position % length, length, key + mix(slice))) % size;
  }

  /** Where in a slice a position of it lies. */
  private long within(long position, long length, long key) {
    if (length <= window) {
      return permute(position, length, key);
    }
    long block = window / BLOCKS_PER_WINDOW;
    long run = block * BLOCKS_PER_WINDOW;
    long first = position / run * run;
    long shuffled =
        first + permute(position - first, Math.min(run, length - first), key + mix(1 + first));
    long blocks = length / block;
    return shuffled >= blocks * block
        ? shuffled
        : permute(shuffled / block, blocks, key) * block + shuffled % block;
  }

  /** The image of {@code value} under a permutation of [0, count). */
  private static long permute(long value, long count, long key) {
    int halfBits = Math.max(1, (65 - Long.numberOfLeadingZeros(Math.max(1, count - 1))) / 2);
    long image = value;
    do {
      image = feistel(image, halfBits, key);
    } while (image >= count);
    return image;
  }

  private static long feistel(long value, int halfBits, long key) {
    long mask = (1L << halfBits) - 1;
    long left = value >>> halfBits;
    long right = value & mask;
    for (int round = 0; round < 4; round++) {
      long next = left ^ (mix(right + key + round) & mask);
      left = right;
      right = next;
    }
    return left << halfBits | right;
  }

  /** SplitMix64's finalizer (Steele et al., OOPSLA 2014). */
  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }
}
