package caravan.pipeline.dedup;

import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes clusters of near duplicates and bounds how far they drift. In each round connected
 * components are clusters, and in each the best text stays. Those that are at least {@code
 * dedup.minimum-survivor-similarity} similar to it fall to it; the others are spared, and go into
 * the next round with the edges among them alone: so the spared found clusters with what is near
 * them. A text that an earlier run kept never falls.
 *
 * @param texts of this run that the index does not hold, sorted by {@link Route#RANGE}
 * @param earlier of the index
 * @param counts what is counted goes here
 */
record ClusterRounds(
    DedupConfig config,
    NearDuplicates near,
    Entries texts,
    ShingleSource source,
    IndexFiles earlier,
    Cache cache,
    Map<String, Long> counts) {
  /** A chain halves with each round, or thereabouts, where its best text lies anywhere in it. */
  static final int MAX_ROUNDS = 20;

  private static final Logger log = LoggerFactory.getLogger(ClusterRounds.class);

  /**
   * @param edges (a, b, similarity's bits) of similar texts, sorted by {@link Route#HASH}
   * @return {@link Fall} of each near duplicate
   */
  Entries falls(Entries edges, long edgeCount) {
    Entries graph = earlier.isEmpty() ? edges : EarlierTexts.contracted(edges, earlier);
    double minimum = config.minimumSurvivorSimilarity();
    Entries falls = null;
    long spared = 0;
    for (int round = 1; ; round++) {
      Entries components = cache.add(ConnectedComponents.of(graph, edgeCount));
      Entries members = cache.keep(Clusters.members(components, edgeCount, texts, earlier));
      Entries compared = cache.keep(compared(members, edges));
      Entries reached = compared.filter(fall -> isReached(fall, minimum));
      falls = falls == null ? reached : falls.union(reached);
      Entries left = compared.filter(fall -> !isReached(fall, minimum));
      long[] sums = totals(left);
      spared = round == 1 ? sums[1] : spared;
      counts.put("cluster_rounds", (long) round);
      if (sums[0] == 0) {
        break;
      }
      if (round == MAX_ROUNDS) {
        counts.put("unsettled_documents", sums[1]);
        log.warn(
            "dedup: {} documents of long chains stay though they are near duplicates: after {}"
                + " rounds none of what stays is similar enough to them; lower"
                + " dedup.minimum-survivor-similarity to have them dropped",
            sums[1],
            round);
        break;
      }
      Entries nodes = left.union(members.map(Clusters::passedOver));
      graph = cache.keep(EarlierTexts.among(graph, nodes));
    }
    counts.put("spared_documents", spared);
    return falls;
  }

  /** Each text of a cluster with the one that stays, and their similarity. */
  private Entries compared(Entries members, Entries edges) {
    int partitions = edges.partitionCount();
    Entries fallen = members.map(Clusters::fallen).sorted(partitions, Route.HASH);
    Entries known = fallen.merge(edges, (a, b) -> Clusters.compared(a, b, true));
    Entries others = cache.keep(fallen.merge(edges, (a, b) -> Clusters.compared(a, b, false)));
    long count = others.count();
    if (count == 0) {
      return known;
    }
    Entries similarities = near.similarities(others, count, source, partitions);
    return known.union(others.merge(similarities, (a, b) -> Clusters.compared(a, b, true)));
  }

  private static boolean isReached(Entry fall, double minimum) {
    return Double.longBitsToDouble(fall.second()) >= minimum;
  }

  /** Texts and their documents. */
  private static long[] totals(Entries falls) {
    return falls.totals(
        2,
        0,
        (entries, sums) ->
            entries.forEachRemaining(
                fall -> {
                  sums[0]++;
                  sums[1] += Fall.copies(fall.payload());
                }));
  }
}
