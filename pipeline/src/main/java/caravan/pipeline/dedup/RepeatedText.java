package caravan.pipeline.dedup;

import caravan.pipeline.Tagged;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;

/**
 * A search for text that several documents have, and what follows from it. The kept documents are
 * read, searched, told in {@code meta}, and edited where that is wanted.
 *
 * <p>The first occurrence of a text is in the document that {@code dedup.survivor} prefers; of
 * equal ones a hash of id, source, path and text decides; within a document it is the first one. A
 * document that would lose too much is dropped whole, and then the search is done again with all
 * such documents coming last: they keep nothing from a document that stays.
 */
abstract class RepeatedText {
  private final Cutting.Rule rule;
  private final boolean keepsFirst;
  private final Map<String, Long> counts = new TreeMap<>();

  RepeatedText(Cutting.Rule rule, boolean keepsFirst) {
    this.rule = rule;
    this.keepsFirst = keepsFirst;
  }

  /**
   * Searches the kept documents.
   *
   * @param last (reference) of documents that come after all others in the order of occurrences
   * @return (reference, first piece, {@link Stretch}) in the documents' partitions and order;
   *     cached and computed
   */
  protected abstract Entries stretches(JavaRDD<Tagged> tagged, Entries last);

  /** What the last {@link #apply} found. */
  Map<String, Long> counts() {
    return counts;
  }

  protected void count(String name, long value) {
    counts.put(name, value);
  }

  /** The same documents in the same partitions, kept ones told and edited. */
  JavaRDD<Tagged> apply(JavaRDD<Tagged> tagged) {
    Entries none = Entries.empty(tagged.context(), tagged.getNumPartitions());
    Entries stretches = stretches(tagged, none);
    if (rule.remove() && keepsFirst) {
      Cutting.Rule rule = this.rule;
      try (Entries dropped =
          Entries.of(
                  cut(tagged, stretches)
                      .mapPartitions(
                          cut -> new Dropped(TaskContext.getPartitionId(), cut, rule.reason())))
              .cached()) {
        if (dropped.count() > 0) {
          stretches.close();
          stretches = stretches(tagged, dropped);
        }
      }
    }
    count(stretches);
    return cut(tagged, stretches);
  }

  private JavaRDD<Tagged> cut(JavaRDD<Tagged> tagged, Entries stretches) {
    Cutting.Rule rule = this.rule;
    return tagged.zipPartitions(
        stretches.blocks(),
        (documents, blocks) ->
            new Cutting(TaskContext.getPartitionId(), documents, Blocks.entries(blocks), rule));
  }

  private void count(Entries stretches) {
    long[] totals =
        stretches.totals(
            3,
            1,
            (entries, t) -> {
              long document = -1;
              while (entries.hasNext()) {
                Entry entry = entries.next();
                Stretch stretch = Stretch.of(entry);
                t[0]++;
                t[1] += stretch.to() - stretch.from();
                t[2] += entry.first() == document ? 0 : 1;
                t[3] = Math.max(t[3], stretch.documents());
                document = entry.first();
              }
            });
    counted(totals[0], totals[1], totals[2], totals[3]);
  }

  /** Names what was found. */
  protected abstract void counted(long stretches, long pieces, long documents, long mostDocuments);

  /** The references of documents that were dropped for a reason. */
  private static final class Dropped extends Step<Entry> {
    private final int partition;
    private final Iterator<Tagged> tagged;
    private final String reason;
    private long ordinal;

    Dropped(int partition, Iterator<Tagged> tagged, String reason) {
      this.partition = partition;
      this.tagged = tagged;
      this.reason = reason;
    }

    @Override
    protected boolean advance() {
      if (!tagged.hasNext()) {
        return false;
      }
      long ref = Route.ref(partition, ordinal++);
      if (tagged.next().reason().equals(reason)) {
        emit(new Entry(ref, 0));
      }
      return true;
    }
  }
}
