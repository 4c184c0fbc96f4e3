package caravan.pipeline.dedup;

import java.util.Arrays;
import java.util.Iterator;
import java.util.function.IntConsumer;

/**
 * Connected components by alternating large-star and small-star (Kiveris et al., "Connected
 * Components in MapReduce and Beyond", SoCC 2014). Each operation is one sort of the edges by node,
 * streamed: no neighbourhood is held in memory and no edge reaches the driver. The number of rounds
 * grows with the logarithm of the longest chain.
 *
 * <p>Before the first round each partition replaces its edges by the stars of its own components,
 * which shortens chains; where all edges lie in one partition, that is the result.
 */
final class ConnectedComponents {
  /** Edges per partition, 40 MB of them while they are contracted. */
  static final long PARTITION_EDGES = 1_000_000;

  private static final int MAX_ROUNDS = 60;

  private ConnectedComponents() {}

  /**
   * @param edges (a, b), in any order and orientation; loops and repetitions do no harm
   * @param count their number
   * @return (node, smaller): each node of a component of two or more with the component's smallest
   *     node, except that node itself
   * @throws IllegalStateException if the edges still change after 60 rounds, which no graph that
   *     fits a cluster needs
   */
  static Entries of(Entries edges, long count) {
    return of(edges, (int) ((count - 1) / PARTITION_EDGES + 1));
  }

  static Entries of(Entries edges, int partitions) {
    return of(edges, partitions, rounds -> {});
  }

  /**
   * @param rounds is told how many rounds there were
   */
  static Entries of(Entries edges, int partitions, IntConsumer rounds) {
    Entries stars =
        edges.map(Bigger::new).sorted(partitions, Route.HASH).map(Contracted::of).cached();
    if (partitions == 1) {
      return stars;
    }
    long[] fingerprint = fingerprint(stars);
    for (int round = 1; round <= MAX_ROUNDS; round++) {
      Entries next =
          stars
              .map(BothWays::new)
              .sorted(partitions, Route.HASH)
              .map(sorted -> new Star(sorted, true))
              .sorted(partitions, Route.HASH)
              .map(sorted -> new Star(sorted, false))
              .sorted(partitions, Route.HASH)
              .map(NearDuplicates.Distinct::new)
              .cached();
      long[] nextFingerprint = fingerprint(next);
      stars.close();
      stars = next;
      if (Arrays.equals(nextFingerprint, fingerprint)) {
        rounds.accept(round);
        return stars;
      }
      fingerprint = nextFingerprint;
    }
    throw new IllegalStateException(
        "connected components: edges still change after "
            + MAX_ROUNDS
            + " rounds; report a defect");
  }

  /** Equal for equal edge sets, and for others with a chance of about 2^-64. */
  private static long[] fingerprint(Entries edges) {
    return edges.totals(
        2,
        0,
        (entries, sums) ->
            entries.forEachRemaining(
                e -> {
                  sums[0]++;
                  sums[1] += Shingles.mix(Shingles.mix(e.first()) + e.second());
                }));
  }

  /** Edges without loops, the bigger node first. */
  private static final class Bigger extends Each<Entry, Entry> {
    Bigger(Iterator<Entry> edges) {
      super(edges);
    }

    @Override
    protected void take(Entry e) {
      if (e.first() != e.second()) {
        emit(new Entry(Math.max(e.first(), e.second()), Math.min(e.first(), e.second())));
      }
    }
  }

  private static final class BothWays extends Each<Entry, Entry> {
    BothWays(Iterator<Entry> edges) {
      super(edges);
    }

    @Override
    protected void take(Entry e) {
      emit(e);
      emit(new Entry(e.second(), e.first()));
    }
  }

  /**
   * Edges (node, neighbour), sorted, so that the first of a node holds its smallest neighbour.
   * Large: hangs every larger neighbour on the smallest of the node and its neighbours. Small, with
   * smaller neighbours only: hangs the node and all its neighbours on the smallest of them.
   */
  private static final class Star extends Each<Entry, Entry> {
    private final boolean large;
    private Entry previous;
    private long smallest;

    Star(Iterator<Entry> edges, boolean large) {
      super(edges);
      this.large = large;
    }

    @Override
    protected void take(Entry e) {
      boolean first = previous == null || previous.first() != e.first();
      if (first) {
        smallest = Math.min(e.first(), e.second());
      } else if (previous.second() == e.second()) {
        return;
      }
      previous = e;
      if (!large) {
        emit(new Entry(first ? e.first() : e.second(), smallest));
      } else if (e.second() > e.first()) {
        emit(new Entry(e.second(), smallest));
      }
    }
  }

  /** The components of one partition's edges, by union-find. */
  private static final class Contracted {
    private long[] ends = new long[1024];
    private int count;
    private long[] nodes;
    private int[] parents;

    static Iterator<Entry> of(Iterator<Entry> edges) {
      Contracted contracted = new Contracted();
      edges.forEachRemaining(contracted::add);
      return contracted.stars();
    }

    private void add(Entry edge) {
      if (count + 2 > ends.length) {
        ends = Arrays.copyOf(ends, 2 * ends.length);
      }
      ends[count++] = edge.first();
      ends[count++] = edge.second();
    }

    private Iterator<Entry> stars() {
      nodes = Arrays.stream(ends, 0, count).sorted().distinct().toArray();
      parents = new int[nodes.length];
      Arrays.setAll(parents, i -> i);
      for (int i = 0; i < count; i += 2) {
        int a = root(Arrays.binarySearch(nodes, ends[i]));
        int b = root(Arrays.binarySearch(nodes, ends[i + 1]));
        parents[Math.max(a, b)] = Math.min(a, b);
      }
      return new Step<>() {
        private int at;

        @Override
        protected boolean advance() {
          if (at == nodes.length) {
            return false;
          }
          int root = root(at);
          if (root != at) {
            emit(new Entry(nodes[at], nodes[root]));
          }
          at++;
          return true;
        }
      };
    }

    private int root(int node) {
      int at = node;
      while (parents[at] != at) {
        parents[at] = parents[parents[at]];
        at = parents[at];
      }
      return at;
    }
  }
}
