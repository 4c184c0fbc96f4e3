package caravan.pipeline;

import java.io.Serializable;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

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
   * @param documents rows of {@link Documents#SCHEMA}, no unreadable records among them
   * @return rows of {@link Documents#TAGGED_SCHEMA}: each input document once, with its verdict
   */
  Dataset<Row> apply(Dataset<Row> documents);

  /** Further counts for the report, known after {@link #apply}, such as {@code clusters}. */
  default Map<String, Long> counts() {
    return Map.of();
  }
}
