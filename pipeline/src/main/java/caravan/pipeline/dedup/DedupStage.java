package caravan.pipeline.dedup;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.IdSet;
import caravan.pipeline.Stage;
import caravan.pipeline.Tagged;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
 * alone, beside an index those of all; and to be written. Texts never cross the network; shuffles
 * carry packed {@link Entries}.
 *
 * <p>Beside a {@link DedupIndex} documents are also compared with those of earlier runs, whose
 * texts are not read again. What an earlier run kept stays; a new document falls if its component
 * holds an earlier one. So a document stays exactly if it is the best of its component among all
 * documents up to its own day (as far as the bound on chains and full LSH buckets leave components
 * whole): the same survivors as one run over everything whose survivor is the earliest, but for
 * documents that only a later one connects.
 *
 * <p>A document whose deletion was asked for, as the index knows, takes no part and goes as {@link
 * caravan.pipeline.DocumentDeletion#REASON}, without its text.
 *
 * <p>The result depends on the documents, the configuration and the seed alone, never on
 * partitioning or order.
 */
public final class DedupStage implements Stage {
  public static final String EXACT_DUPLICATE = "exact_duplicate";
  public static final String NEAR_DUPLICATE = "near_duplicate";

  /** Counts of documents that were compared against, and dropped for, those of earlier runs. */
  public static final String EARLIER_TEXTS = "earlier_texts";

  public static final String DROPPED_FOR_EARLIER = "documents_dropped_for_earlier";

  private final DedupConfig config;
  private final long seed;
  private final NearDuplicates near;
  private final transient Optional<IndexRun> index;
  private final IdSet deleted;
  private final Map<String, Long> counts = new TreeMap<>();

  /**
   * @param seed chooses the MinHash permutations
   */
  public DedupStage(DedupConfig config, long seed) {
    this(config, seed, Optional.empty());
  }

  /**
   * @param index to compare with and to prepare a part for
   */
  public DedupStage(DedupConfig config, long seed, Optional<IndexRun> index) {
    this.config = config;
    this.seed = seed;
    this.near = new NearDuplicates(config);
    this.index = index;
    this.deleted = index.map(IndexRun::deleted).orElse(IdSet.NONE);
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
    IdSet deleted = this.deleted;
    return documents.zipPartitions(
        verdicts.blocks(),
        (parts, blocks) ->
            Verdicts.tagged(
                TaskContext.getPartitionId(),
                ChainedDocuments.of(parts),
                Blocks.entries(blocks),
                deleted));
  }

  private Entries verdicts(JavaRDD<DocumentIterator> documents) {
    try (Cache cache = new Cache()) {
      Entries all = cache.keep(texts(documents));
      IndexFiles earlier = index.map(IndexRun::earlierFiles).orElse(IndexFiles.NONE);
      Entries known = earlier.isEmpty() ? null : cache.keep(EarlierTexts.known(all, earlier));
      Entries texts = known == null ? all : EarlierTexts.fresh(all, known);
      long[] sums = texts.totals(3, 1, (entries, totals) -> countTexts(entries, totals));
      Entries members = near.members(texts, sums[0]);
      ShingleSource source =
          index.isEmpty()
              ? new ShingleSource.Documents(texts, documents, config.shingleUnits())
              : indexed(documents, texts, members, sums[0], earlier);
      Entries fallen = cache.keep(nearDuplicates(texts, members, source, earlier, cache));
      countNear(fallen, sums);
      index.ifPresent(run -> prepare(run, texts, fallen, sums[0]));
      Entries falls = known == null ? fallen : fallen.union(known);
      index.ifPresent(run -> countEarlier(run, falls));
      Entries verdicts =
          all.merge(falls.sorted(all.partitionCount(), Route.RANGE), Verdicts::of)
              .sorted(documents.getNumPartitions(), Route.DOCUMENT)
              .cached();
      verdicts.count(); // computed while what it is made of is still cached
      return verdicts;
    }
  }

  /** {@link Fall} of each text that is similar to one that stays. */
  private Entries nearDuplicates(
      Entries texts, Entries members, ShingleSource source, IndexFiles earlier, Cache cache) {
    Entries candidates = cache.keep(near.candidates(members, earlier));
    long pairs = candidates.count();
    counts.put("candidate_pairs", pairs);
    int partitions = Entries.partitions(pairs * 2 * Entry.HEADER_BYTES);
    double minimum = config.minimumSimilarity();
    Entries edges =
        cache.keep(
            near.similarities(candidates, pairs, source, partitions)
                .filter(
                    pair -> Double.longBitsToDouble(Entry.getLong(pair.payload(), 0)) >= minimum));
    long edgeCount = edges.count();
    counts.put("near_duplicate_pairs", edgeCount);
    return new ClusterRounds(config, near, texts, source, earlier, cache, counts)
        .falls(edges, edgeCount);
  }

  /** Begins the index's new part: buckets and shingles of all texts that it does not hold. */
  private ShingleSource indexed(
      JavaRDD<DocumentIterator> documents,
      Entries texts,
      Entries members,
      long count,
      IndexFiles earlier) {
    IndexRun run = index.orElseThrow();
    run.begin();
    Entries wanted = texts.map(NewPart::withShingles);
    Entries sets =
        new ShingleSource.Documents(texts, documents, config.shingleUnits())
            .sets(wanted)
            .sorted(Entries.partitions(count * NearDuplicates.SET_BYTES), Route.RANGE);
    List<IndexFile> files = new ArrayList<>(run.write(sets, IndexFile.Kind.SETS));
    run.write(members, IndexFile.Kind.POSTINGS);
    return new ShingleSource.Index(earlier.with(files), texts.partitionCount());
  }

  private static void prepare(IndexRun run, Entries texts, Entries fallen, long count) {
    Entries falls = fallen.sorted(texts.partitionCount(), Route.RANGE);
    run.write(texts.merge(falls, NewPart::texts), IndexFile.Kind.TEXTS);
    run.prepare(count);
  }

  /** (key, 0, {@link TextEntry}) of every document, the best of a key first. */
  private Entries texts(JavaRDD<DocumentIterator> documents) {
    DedupConfig config = this.config;
    long seed = this.seed;
    IdSet deleted = this.deleted;
    int read = documents.getNumPartitions();
    int partitions = Math.max(Math.min(read, documents.context().defaultParallelism()), read / 4);
    return Entries.of(
            documents.mapPartitions(
                parts ->
                    new TextScan(
                        TaskContext.getPartitionId(),
                        ChainedDocuments.of(parts),
                        config,
                        seed,
                        deleted)))
        .sorted(partitions, Route.RANGE);
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

  private void countNear(Entries fallen, long[] sums) {
    long[] similarities =
        fallen.totals(
            1,
            1,
            (entries, t) ->
                entries.forEachRemaining(
                    text -> {
                      double similarity = Double.longBitsToDouble(text.second());
                      t[0]++;
                      t[1] = Math.max(t[1], Math.round(1000 * (1 - similarity)));
                    }));
    counts.put("near_duplicate_texts", similarities[0]);
    if (similarities[0] > 0) {
      counts.put("least_similarity_thousandths", 1000 - similarities[1]);
    }
    long[] clusters =
        fallen
            .map(NewPart::byRoot)
            .sorted(fallen.partitionCount(), Route.HASH)
            .totals(4, 1, (falls, totals) -> countClusters(falls, totals));
    counts.put("clusters", clusters[0] + sums[1] - clusters[2]);
    counts.put("documents_in_clusters", clusters[1] + sums[2] - clusters[3]);
    counts.put("largest_cluster", Math.max(clusters[4], sums[1] > 0 ? sums[3] : 0));
  }

  /** Clusters, their documents, their texts with copies, documents of those; the largest. */
  private static void countClusters(Iterator<Entry> falls, long[] totals) {
    for (Cursor cursor = new Cursor(falls); !cursor.ended(); ) {
      long root = cursor.head().first();
      long size = addText(Fall.rootCopies(cursor.head().payload()), totals);
      while (cursor.at(root)) {
        size += addText(Fall.copies(cursor.take().payload()), totals);
      }
      totals[0]++;
      totals[1] += size;
      totals[4] = Math.max(totals[4], size);
    }
  }

  private static long addText(long copies, long[] totals) {
    totals[2] += copies > 1 ? 1 : 0;
    totals[3] += copies > 1 ? copies : 0;
    return copies;
  }

  private void countEarlier(IndexRun run, Entries falls) {
    counts.put(EARLIER_TEXTS, run.earlierTexts());
    counts.put(
        DROPPED_FOR_EARLIER,
        falls
            .totals(
                1,
                0,
                (entries, sums) ->
                    entries.forEachRemaining(
                        fall ->
                            sums[0] +=
                                Fall.isEarlier(fall.payload()) ? Fall.copies(fall.payload()) : 0))[
            0]);
  }
}
