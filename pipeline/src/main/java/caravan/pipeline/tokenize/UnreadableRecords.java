package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import caravan.pipeline.Documents;
import caravan.pipeline.Inputs;
import java.util.function.Supplier;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Refuses inputs of which too much cannot be read. */
final class UnreadableRecords {
  private UnreadableRecords() {}

  /**
   * @param documents rows of {@link Documents#SCHEMA}, read again for an example
   * @throws IllegalArgumentException when more than this share of the records is unreadable
   */
  static void check(
      Inputs inputs, Dataset<Row> documents, long unreadable, long records, double maxFraction) {
    check(inputs.spec(), unreadable, records, maxFraction, () -> example(documents));
  }

  /**
   * @param example path and fault of an unreadable record
   * @throws IllegalArgumentException when more than this share of the records is unreadable
   */
  static void check(
      String input, long unreadable, long records, double maxFraction, Supplier<String> example) {
    if (unreadable <= maxFraction * records) return;
    throw new IllegalArgumentException(
        "input %s: %,d of %,d records are unreadable, wanted at most %s of them; for example %s. Check read.format and the field names, or raise read.max-broken-fraction"
            .formatted(input, unreadable, records, maxFraction, example.get()));
  }

  private static String example(Dataset<Row> documents) {
    Row first =
        documents
            .select(
                col("path"),
                col("id"),
                Documents.unreadableReason().as("reason"),
                coalesce(Documents.unreadableDetail(), lit("")).as("detail"))
            .filter(col("reason").isNotNull())
            .orderBy("path", "id")
            .first();
    return first.getString(0) + ": " + first.getString(3);
  }
}
