package caravan.pipeline.dedup;

/**
 * Locality-sensitive hashing of MinHash signatures (Leskovec, Rajaraman, Ullman, "Mining of Massive
 * Datasets", section 3.4): a signature is cut into bands, and two documents are candidates when all
 * rows of at least one band agree.
 *
 * <p>Diagonal bands reuse the values: diagonal {@code d} takes row {@code r} of band {@code d + 3r}
 * (modulo {@code bands}). No two diagonals share a value, and a diagonal shares at most one with a
 * band, so that they find most of what as many bands of new values would, for no more hashing.
 *
 * @param bands number of bands, at least 1
 * @param rows signature positions per band, at least 1
 * @param diagonals number of diagonal bands, 0 to {@code bands}
 */
public record LshBands(int bands, int rows, int diagonals) {
  /** Lowest bits of every bucket that are zero: 48 tell buckets apart, and are stored. */
  static final int ZERO_BITS = 16;

  private static final int STRIDE = 3;

  public LshBands {
    if (bands < 1 || rows < 1) {
      throw new IllegalArgumentException(
          "LSH bands: got " + bands + " bands of " + rows + " rows, wanted at least 1 of each");
    }
    if (diagonals < 0 || diagonals > bands) {
      throw new IllegalArgumentException(
          "LSH bands: got " + diagonals + " diagonal bands, wanted 0 to " + bands);
    }
  }

  public LshBands(int bands, int rows) {
    this(bands, rows, 0);
  }

  /** Signature length that the bands cover. */
  public int permutations() {
    return bands * rows;
  }

  /** Buckets that a signature falls into. */
  public int buckets() {
    return bands + diagonals;
  }

  /**
   * The bucket that a signature falls into in one band. Buckets of different bands do not meet. Two
   * signatures that differ in the band share a bucket with probability 2^-48.
   *
   * @param band 0 to {@code buckets() - 1}; from {@code bands} on the diagonals
   */
  public long bucket(int[] signature, int band) {
    long hash = Shingles.mix(band + 1);
    for (int row = 0; row < rows; row++) {
      int of = band < bands ? band : (int) ((band - bands + (long) STRIDE * row) % bands);
      hash = Shingles.mix(hash ^ signature[of * rows + row]) * 0x9E3779B97F4A7C15L;
    }
    return hash & -1L << ZERO_BITS;
  }

  /**
   * Probability that two sets share a bucket of the bands proper; diagonals come on top.
   *
   * @param similarity their Jaccard similarity, 0 to 1
   */
  public double hitRate(double similarity) {
    return 1 - Math.pow(1 - Math.pow(similarity, rows), bands);
  }
}
