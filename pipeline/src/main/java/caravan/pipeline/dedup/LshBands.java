package caravan.pipeline.dedup;

/**
 * Locality-sensitive hashing of MinHash signatures (Leskovec, Rajaraman, Ullman, "Mining of Massive
 * Datasets", section 3.4): a signature is cut into bands, and two documents are candidates when all
 * rows of at least one band agree.
 *
 * @param bands number of bands, at least 1
 * @param rows signature positions per band, at least 1
 */
public record LshBands(int bands, int rows) {
  public LshBands {
    if (bands < 1 || rows < 1) {
      throw new IllegalArgumentException(
          "LSH bands: got " + bands + " bands of " + rows + " rows, wanted at least 1 of each");
    }
  }

  /** Signature length that the bands cover. */
  public int permutations() {
    return bands * rows;
  }

  /**
   * The bucket that a signature falls into in one band. Buckets of different bands do not meet. Two
   * signatures that differ in the band share a bucket with probability 2^-64.
   *
   * @param band 0 to {@code bands - 1}
   */
  public long bucket(int[] signature, int band) {
    long hash = Shingles.mix(band + 1);
    for (int row = 0; row < rows; row++) {
      hash = Shingles.mix(hash ^ signature[band * rows + row]) * 0x9E3779B97F4A7C15L;
    }
    return hash;
  }

  /**
   * Probability that two sets share a bucket.
   *
   * @param similarity their Jaccard similarity, 0 to 1
   */
  public double hitRate(double similarity) {
    return 1 - Math.pow(1 - Math.pow(similarity, rows), bands);
  }
}
