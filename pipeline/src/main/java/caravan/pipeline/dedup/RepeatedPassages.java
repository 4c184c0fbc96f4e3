package caravan.pipeline.dedup;

import caravan.pipeline.Tagged;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;

/**
 * Passages that occur repeatedly (exact substrings of Lee et al., "Deduplicating Training Data
 * Makes Language Models Better", arXiv 2107.06499, section 4.1), found on Spark instead of by a
 * suffix array on one machine. A window is {@code dedup.substrings.min-units} units; a passage is a
 * run of windows, each one unit after the other, all of which occur elsewhere, too, and cannot be
 * made longer. Units are compared: case, punctuation and white space do not matter.
 *
 * <p>Where passages are removed, each window but for its first occurrence goes as a whole. So no
 * window stays in two documents, and each unit of a repeated passage stays somewhere: where a first
 * occurrence overlaps a passage that is first elsewhere, it loses the common part, which stays
 * there.
 *
 * <p>{@link Winnowing} gives every window an anchor that is the same wherever the window occurs, so
 * only windows whose anchor occurs repeatedly can. First the anchors are compared, about one per
 * fourteen units; then the windows of repeated ones, by a 126-bit hash of their units. No repeat is
 * missed, and none is made up but by a collision of hashes. The cost is linear in the text that is
 * repeated, however often.
 */
final class RepeatedPassages extends RepeatedText {
  private final DedupConfig config;

  RepeatedPassages(DedupConfig config) {
    super(rule(config.substrings()), true);
    this.config = config;
  }

  private static Cutting.Rule rule(SubstringConfig substrings) {
    return new Cutting.Rule(
        "repeated_passage",
        "passages",
        Repeat.PASSAGES_META,
        substrings.action() == RepeatAction.REMOVE,
        substrings.maxRemovedFraction(),
        UnitPieces::of);
  }

  @Override
  protected Entries stretches(JavaRDD<Tagged> tagged, Entries last) {
    SubstringConfig substrings = config.substrings();
    int width = substrings.minUnits();
    Stretches.Rule rule = new Stretches.Rule(width, true, false, substrings.withinDocuments());
    try (Entries anchors = anchors(tagged, width).cached()) {
      long anchorCount = anchors.count();
      count("passage_anchors", anchorCount);
      try (Entries windows = windows(tagged, repeated(anchors, anchorCount), last).cached()) {
        long windowCount = windows.count();
        count("passage_windows_compared", windowCount);
        Entries stretches =
            repeated(windows, windowCount).map(findings -> new Stretches(findings, rule)).cached();
        stretches.count(); // computed while the windows are still cached
        return stretches;
      }
    }
  }

  private Entries repeated(Entries occurrences, long count) {
    SubstringConfig substrings = config.substrings();
    return Repeats.of(occurrences, count, substrings.minDocuments(), substrings.withinDocuments());
  }

  private static Entries anchors(JavaRDD<Tagged> tagged, int width) {
    return Entries.of(
            tagged.mapPartitions(
                documents -> new AnchorScan(TaskContext.getPartitionId(), documents, width)))
        .sortedWithin(Route.HASH);
  }

  private Entries windows(JavaRDD<Tagged> tagged, Entries anchors, Entries last) {
    DedupConfig config = this.config;
    return Entries.of(
            tagged.zipPartitions(
                anchors.merge(last, WindowScan::marks).blocks(),
                (documents, blocks) ->
                    new WindowScan(
                        TaskContext.getPartitionId(), documents, Blocks.entries(blocks), config)))
        .sortedWithin(Route.HASH);
  }

  @Override
  protected void counted(long stretches, long pieces, long documents, long mostDocuments) {
    count("repeated_passages", stretches);
    count("units_in_repeated_passages", pieces);
    count("documents_with_repeated_passages", documents);
    count("most_documents_of_a_repeated_passage", mostDocuments);
  }
}
