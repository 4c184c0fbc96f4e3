package caravan.pipeline.dedup;

import caravan.pipeline.Tagged;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;

/**
 * Lines, or paragraphs, that several documents have (as in CCNet, arXiv 1911.00359, section 3.1):
 * equal in their units, whatever their case, punctuation and white space. Unlike there, digits
 * count, and all documents are compared, not those of one part.
 */
final class RepeatedLines extends RepeatedText {
  private static final Stretches.Rule KEEP_FIRST = new Stretches.Rule(1, false, false, true);
  private static final Stretches.Rule KEEP_NONE = new Stretches.Rule(1, false, true, true);

  private final DedupConfig config;

  RepeatedLines(DedupConfig config) {
    super(rule(config.lines()), config.lines().keep() == LineConfig.Keep.FIRST);
    this.config = config;
  }

  private static Cutting.Rule rule(LineConfig lines) {
    LineConfig.Unit unit = lines.unit();
    return new Cutting.Rule(
        lines.reason(),
        unit == LineConfig.Unit.LINE ? "lines" : "paragraphs",
        Repeat.LINES_META,
        lines.action() == RepeatAction.REMOVE,
        lines.maxRemovedFraction(),
        text -> new LinePieces(text, unit));
  }

  @Override
  protected Entries stretches(JavaRDD<Tagged> tagged, Entries last) {
    DedupConfig config = this.config;
    Stretches.Rule rule = config.lines().keep() == LineConfig.Keep.FIRST ? KEEP_FIRST : KEEP_NONE;
    Entries scanned =
        Entries.of(
            tagged.zipPartitions(
                last.blocks(),
                (documents, blocks) ->
                    new LineScan(
                        TaskContext.getPartitionId(), documents, Blocks.entries(blocks), config)));
    try (Entries lines = scanned.sortedWithin(Route.HASH).cached()) {
      long count = lines.count();
      count(
          "compared_" + config.lines().unit().name().toLowerCase(java.util.Locale.ROOT) + "s",
          count);
      Entries stretches =
          Repeats.of(lines, count, config.lines().minDocuments(), false)
              .map(findings -> new Stretches(findings, rule))
              .cached();
      stretches.count(); // computed while the lines are still cached
      return stretches;
    }
  }

  @Override
  protected void counted(long stretches, long pieces, long documents, long mostDocuments) {
    String what = config.lines().reason();
    count(what + "s", pieces);
    count("documents_with_" + what + "s", documents);
    count("most_documents_of_a_" + what, mostDocuments);
  }
}
