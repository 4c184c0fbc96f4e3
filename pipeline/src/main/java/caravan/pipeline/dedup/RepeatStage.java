package caravan.pipeline.dedup;

import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Stage;
import caravan.pipeline.Tagged;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaRDD;

/**
 * Deduplicates documents, then the text that is left: lines or paragraphs, then passages. Whole
 * documents go first, so that lines are counted in documents that are different, and the survivor
 * of a cluster is chosen by whole texts.
 */
public final class RepeatStage implements Stage {
  private final Stage documents;
  private final DedupConfig config;
  private final Map<String, Long> counts = new TreeMap<>();

  /**
   * @param documents deduplicates documents
   */
  public RepeatStage(Stage documents, DedupConfig config) {
    this.documents = documents;
    this.config = config;
  }

  @Override
  public String name() {
    return documents.name();
  }

  /** Counts of the last {@link #apply}, those of documents among them. */
  @Override
  public Map<String, Long> counts() {
    Map<String, Long> all = new TreeMap<>(documents.counts());
    all.putAll(counts);
    return all;
  }

  @Override
  public JavaRDD<Tagged> apply(JavaRDD<DocumentIterator> input) {
    counts.clear();
    JavaRDD<Tagged> tagged = documents.apply(input);
    if (config.lines().action() != RepeatAction.OFF) {
      tagged = applied(new RepeatedLines(config), tagged);
    }
    if (config.substrings().action() != RepeatAction.OFF) {
      tagged = applied(new RepeatedPassages(config), tagged);
    }
    return tagged;
  }

  private JavaRDD<Tagged> applied(RepeatedText step, JavaRDD<Tagged> tagged) {
    JavaRDD<Tagged> told = step.apply(tagged);
    counts.putAll(step.counts());
    return told;
  }
}
