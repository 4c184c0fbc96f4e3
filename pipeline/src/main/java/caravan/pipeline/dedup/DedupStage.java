package caravan.pipeline.dedup;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Stage;
import caravan.pipeline.Tagged;
import java.util.Collections;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;

/**
 * Drops exact and near duplicates. Texts equal up to white space are exact duplicates ({@link
 * TextKey}). Among the different texts, MinHash LSH proposes pairs, the exact Jaccard similarity of
 * their shingles confirms those at or above the configured minimum, and the connected components
 * are clusters: a document can fall to a chain of near duplicates, as the similarity in its detail
 * then shows.
 *
 * <p>One document of each cluster stays: the best by {@code dedup.survivor}; among equals the
 * smallest id, source and path. The detail of each dropped document names that survivor and the
 * exact similarity to it. A copy of a text that is itself a near duplicate of the survivor counts
 * as {@code near_duplicate}: the reason says how the document relates to what stayed.
 *
 * <p>The corpus is read three times: for keys, preferences and buckets; the shingles of candidates
 * alone; and to be written. Texts never cross the network; shuffles carry packed {@link Entries}.
 *
 * <p>The result depends on the documents, the configuration and the seed alone, never on
 * partitioning or order.
 */
public final class DedupStage implements Stage {
  public static final String EXACT_DUPLICATE = "exact_duplicate";
  public static final String NEAR_DUPLICATE = "near_duplicate";

  private final DedupConfig config;
  private final long seed;
  private final NearDuplicates near;
  private final Map<String, Long> counts = new TreeMap<>();

  /**
   * @param seed chooses the MinHash permutations
   */
  public DedupStage(DedupConfig config, long seed) {
    this.config = config;
    this.seed = seed;
    this.near = new NearDuplicates(config);
  }

  @Override
  public String name() {
    return "dedup";
  }

  /**
   * Counts of the last {@link #apply}: pairs compared, pairs and texts found similar, clusters; and
   * how far chains drift: the least similarity of a near duplicate to what stayed, in thousandths.
   */
  @Override
  public Map<String, Long> counts() {
    return Collections.unmodifiableMap(counts);
  }

  @Override
  public JavaRDD<Tagged> apply(JavaRDD<DocumentIterator> documents) {
    Entries verdicts = verdicts(documents);
    return documents.zipPartitions(
        verdicts.blocks(),
        (parts, blocks) ->
            Verdicts.tagged(
                TaskContext.getPartitionId(), ChainedDocuments.of(parts), Blocks.entries(blocks)));
  }

  private Entries verdicts(JavaRDD<DocumentIterator> documents) {
    try (Entries texts = texts(documents).cached()) {
      long[] sums = texts.totals(3, 1, (entries, totals) -> countTexts(entries, totals));
      try (Entries candidates = near.candidates(texts, sums[0]).cached()) {
        long pairs = candidates.count();
        counts.put("candidate_pairs", pairs);
        int partitions = Entries.partitions(pairs * 2 * Entry.HEADER_BYTES);
        try (Entries edges = edges(candidates, pairs, texts, documents, partitions).cached()) {
          return verdicts(documents, texts, sums, edges, partitions);
        }
      }
    }
  }

  /** (key, 0, {@link TextEntry}) of every document, the best of a key first. */
  private Entries texts(JavaRDD<DocumentIterator> documents) {
    DedupConfig config = this.config;
    long seed = this.seed;
    int read = documents.getNumPartitions();
    int partitions = Math.max(Math.min(read, documents.context().defaultParallelism()), read / 4);
    return Entries.of(
            documents.mapPartitions(
                parts ->
                    new TextScan(
                        TaskContext.getPartitionId(), ChainedDocuments.of(parts), config, seed)))
        .sorted(partitions, Route.HASH);
  }

  /** Different texts; those with copies; documents of those; and the most copies of one. */
  private static void countTexts(Iterator<Entry> entries, long[] totals) {
    for (Cursor texts = new Cursor(entries); !texts.ended(); ) {
      long key = texts.head().first();
      long copies = 0;
      for (; texts.at(key); texts.take()) {
        copies++;
      }
      totals[0]++;
      totals[1] += copies > 1 ? 1 : 0;
      totals[2] += copies > 1 ? copies : 0;
      totals[3] = Math.max(totals[3], copies);
    }
  }

  /** (a, b, similarity) of the pairs that are similar enough. */
  private Entries edges(
      Entries candidates,
      long count,
      Entries texts,
      JavaRDD<DocumentIterator> documents,
      int partitions) {
    double minimum = config.minimumSimilarity();
    return near.similarities(candidates, count, texts, documents, partitions)
        .filter(pair -> Double.longBitsToDouble(Entry.getLong(pair.payload(), 0)) >= minimum);
  }

  private Entries verdicts(
      JavaRDD<DocumentIterator> documents,
      Entries texts,
      long[] sums,
      Entries edges,
      int partitions) {
    long edgeCount = edges.count();
    counts.put("near_duplicate_pairs", edgeCount);
    try (Entries components = ConnectedComponents.of(edges, edgeCount);
        Entries members = Clusters.members(components, edgeCount, texts).cached()) {
      countClusters(members, sums);
      try (Entries near = fallen(documents, texts, members, edges, partitions).cached()) {
        countFallen(near);
        Entries verdicts =
            texts
                .merge(near.sorted(texts.partitionCount(), Route.HASH), Verdicts::of)
                .sorted(documents.getNumPartitions(), Route.DOCUMENT)
                .cached();
        verdicts.count(); // computed while what it is made of is still cached
        return verdicts;
      }
    }
  }

  /** (key that falls, similarity to what stays, the id of that). */
  private Entries fallen(
      JavaRDD<DocumentIterator> documents,
      Entries texts,
      Entries members,
      Entries edges,
      int partitions) {
    Entries fallen = members.map(Clusters::fallen).sorted(partitions, Route.HASH);
    Entries known = fallen.merge(edges, (a, b) -> Clusters.compared(a, b, true));
    try (Entries others = fallen.merge(edges, (a, b) -> Clusters.compared(a, b, false)).cached()) {
      long count = others.count();
      if (count == 0) {
        return known;
      }
      Entries similarities = near.similarities(others, count, texts, documents, partitions);
      return known.union(others.merge(similarities, (a, b) -> Clusters.compared(a, b, true)));
    }
  }

  private void countClusters(Entries members, long[] sums) {
    long[] totals =
        members.totals(
            4,
            1,
            (entries, t) -> {
              for (Cursor cursor = new Cursor(entries); !cursor.ended(); ) {
                long root = cursor.head().first();
                long size = 0;
                while (cursor.at(root)) {
                  long copies = Clusters.copies(cursor.take());
                  size += copies;
                  t[2] += copies > 1 ? 1 : 0;
                  t[3] += copies > 1 ? copies : 0;
                }
                t[0]++;
                t[1] += size;
                t[4] = Math.max(t[4], size);
              }
            });
    counts.put("clusters", totals[0] + sums[1] - totals[2]);
    counts.put("documents_in_clusters", totals[1] + sums[2] - totals[3]);
    counts.put("largest_cluster", Math.max(totals[4], sums[1] > 0 ? sums[3] : 0));
  }

  private void countFallen(Entries near) {
    long[] totals =
        near.totals(
            1,
            1,
            (entries, t) ->
                entries.forEachRemaining(
                    text -> {
                      double similarity = Double.longBitsToDouble(text.second());
                      t[0]++;
                      t[1] = Math.max(t[1], Math.round(1000 * (1 - similarity)));
                    }));
    counts.put("near_duplicate_texts", totals[0]);
    if (totals[0] > 0) {
      counts.put("least_similarity_thousandths", 1000 - totals[1]);
    }
  }
}
