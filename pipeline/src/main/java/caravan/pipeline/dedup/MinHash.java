package caravan.pipeline.dedup;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * MinHash signatures (Broder, "On the resemblance and containment of documents", 1997): the
 * smallest value of a set under each of several random permutations. Two sets agree at one position
 * with a probability equal to their Jaccard similarity.
 *
 * <p>A permutation is {@code x -> a*x + b} modulo 2^32 with an odd {@code a}, over the upper half
 * of an already well-mixed 64-bit shingle hash. Values are compared as signed numbers: a minimum is
 * a minimum in any fixed order, and the inner loop then vectorizes.
 */
public final class MinHash {
  private final int[] multipliers;
  private final int[] increments;

  /**
   * @param permutations length of a signature, at least 1
   * @param seed chooses the permutations; signatures of different seeds do not compare
   */
  public MinHash(int permutations, long seed) {
    if (permutations < 1) {
      throw new IllegalArgumentException(
          "permutations: got " + permutations + ", wanted 1 or more");
    }
    SplittableRandom random = new SplittableRandom(seed);
    multipliers = new int[permutations];
    increments = new int[permutations];
    for (int i = 0; i < permutations; i++) {
      multipliers[i] = random.nextInt() | 1;
      increments[i] = random.nextInt();
    }
  }

  /** Length of a signature. */
  public int permutations() {
    return multipliers.length;
  }

  /**
   * The signature of {@code hashes[0..count)}; repeated hashes change nothing.
   *
   * @param count at least 1: an empty set has no smallest value
   * @param signature overwritten with the result
   */
  public void sign(long[] hashes, int count, int[] signature) {
    if (count < 1) {
      throw new IllegalArgumentException("MinHash of no shingles: an empty set has no signature");
    }
    Arrays.fill(signature, Integer.MAX_VALUE);
    int i = 0;
    for (; i + 4 <= count; i += 4) {
      fold(
          signature,
          (int) (hashes[i] >>> 32),
          (int) (hashes[i + 1] >>> 32),
          (int) (hashes[i + 2] >>> 32),
          (int) (hashes[i + 3] >>> 32));
    }
    for (; i < count; i++) {
      int x = (int) (hashes[i] >>> 32);
      fold(signature, x, x, x, x);
    }
  }

  /** The share of positions at which two signatures agree: an estimate of Jaccard similarity. */
  public static double similarity(int[] a, int[] b) {
    int same = 0;
    for (int i = 0; i < a.length; i++) {
      same += a[i] == b[i] ? 1 : 0;
    }
    return (double) same / a.length;
  }

  /** Four shingles a pass: one load and one store of the signature serve all four. */
  private void fold(int[] signature, int x0, int x1, int x2, int x3) {
    int[] a = multipliers;
    int[] b = increments;
    for (int p = 0; p < signature.length; p++) {
      int low = Math.min(a[p] * x0 + b[p], a[p] * x1 + b[p]);
      int high = Math.min(a[p] * x2 + b[p], a[p] * x3 + b[p]);
      signature[p] = Math.min(signature[p], Math.min(low, high));
    }
  }
}
