package caravan.pipeline;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * A step from documents to documents. It tags and never removes: StageOutput splits kept from
 * dropped, writes both, and counts what was written. Deterministic in (input, configuration, seed),
 * never in partition order.
 */
public interface Stage {
  /** The stage's name in reports, such as {@code clean}. */
  String name();

  /**
   * @param documents rows of {@link Documents#SCHEMA}
   * @return rows of {@link Documents#TAGGED_SCHEMA}: each input document once, with its verdict
   */
  Dataset<Row> apply(Dataset<Row> documents);
}
