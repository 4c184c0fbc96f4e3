package caravan.model.train;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Turns of several sources with given shares: at every prefix each source has had its share of the
 * turns to within one turn. By Tijdeman's algorithm for the chairman assignment problem (Discrete
 * Mathematics 32, 1980): of the sources that are due, the one whose deadline is nearest. Shares are
 * whole numbers of millionths, so that the turns repeat and any of them is found without those
 * before.
 */
final class BlendCycle {
  private static final int UNITS = 1_000_000;

  /** One per list of shares in this JVM: at most 6 MB each. */
  private static final Map<String, BlendCycle> KNOWN = new ConcurrentHashMap<>();

  private final int[] counts;

  /** Per turn of a cycle, whose it is. */
  private final short[] sources;

  /** Per turn of a cycle, how many this source had before in it. */
  private final int[] turns;

  private BlendCycle(int[] counts) {
    this.counts = counts;
    int length = Arrays.stream(counts).sum();
    sources = new short[length];
    turns = new int[length];
    int[] had = new int[counts.length];
    for (int turn = 0; turn < length; turn++) {
      int next = due(turn + 1L, length, had);
      sources[turn] = (short) next;
      turns[turn] = had[next]++;
    }
  }

  private int due(long turn, long length, int[] had) {
    long scale = Math.max(1, 2L * counts.length - 2);
    int next = -1;
    double nearest = Double.POSITIVE_INFINITY;
    for (int source = 0; source < counts.length; source++) {
      long owed = (counts[source] * turn - had[source] * length) * scale;
      double deadline = ((scale - 1) * length - owed) / (double) counts[source];
      if (owed >= length && deadline < nearest) {
        next = source;
        nearest = deadline;
      }
    }
    return next;
  }

  /**
   * @param weights above 0, in any unit
   * @throws IllegalArgumentException when one is not above 0, or less than a millionth of their sum
   */
  static BlendCycle of(double[] weights) {
    int[] shares = shares(weights);
    return KNOWN.computeIfAbsent(Arrays.toString(shares), key -> new BlendCycle(shares));
  }

  /** Shares in lowest terms, rounded to millionths by largest remainders. */
  private static int[] shares(double[] weights) {
    double sum = Arrays.stream(weights).sum();
    int[] shares = new int[weights.length];
    for (int i = 0; i < shares.length; i++) {
      if (!(weights[i] > 0 && Double.isFinite(sum))) {
        throw new IllegalArgumentException(
            "token-weights: got " + weights[i] + ", wanted numbers above 0");
      }
      shares[i] = (int) (weights[i] / sum * UNITS);
    }
    for (int missing = UNITS - Arrays.stream(shares).sum(); missing > 0; missing--) {
      int next = 0;
      for (int i = 1; i < shares.length; i++) {
        if (weights[i] / sum * UNITS - shares[i] > weights[next] / sum * UNITS - shares[next]) {
          next = i;
        }
      }
      shares[next]++;
    }
    if (Arrays.stream(shares).min().orElseThrow() == 0) {
      throw new IllegalArgumentException(
          "token-weights: got %s, wanted each to be at least a millionth of their sum"
              .formatted(Arrays.toString(weights)));
    }
    int divisor = Arrays.stream(shares).reduce(0, BlendCycle::divisor);
    return Arrays.stream(shares).map(share -> share / divisor).toArray();
  }

  private static int divisor(int a, int b) {
    return b == 0 ? a : divisor(b, a % b);
  }

  /** Whose turn it is. */
  int sourceAt(long position) {
    return sources[(int) (position % sources.length)];
  }

  /** How many turns the source that has this one had before. */
  long turnAt(long position) {
    int turn = (int) (position % sources.length);
    return position / sources.length * counts[sources[turn]] + turns[turn];
  }

  /** The share of a source's turns. */
  double share(int source) {
    return counts[source] / (double) sources.length;
  }
}
