package caravan.pipeline;

import java.io.Serializable;
import java.util.Map;
import org.apache.spark.api.java.JavaRDD;

/**
 * A step from documents to documents that compares them; one that looks at each alone is a {@link
 * DocumentStage}. It tags and never removes: StageOutput splits kept from dropped, writes both, and
 * counts what was written. Deterministic in (input, configuration, seed), never in partition order.
 * Serializable, because its functions run on the executors.
 */
public interface Stage extends Serializable {
  /** The stage's name in reports, such as {@code clean}. */
  String name();

  /**
   * @param documents readers of documents, which may be read several times and give the same
   *     documents in the same order each time; unreadable records are among them
   * @return each input document once, with its verdict, unreadable ones by {@link
   *     Documents#taggedIfUnreadable}; in as many partitions
   */
  JavaRDD<Tagged> apply(JavaRDD<DocumentIterator> documents);

  /** Further counts for the report, known after {@link #apply}, such as {@code clusters}. */
  default Map<String, Long> counts() {
    return Map.of();
  }
}
