package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import caravan.pipeline.shard.TokenType;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** What was encoded ({@link DocumentEncoder}), before it is written. */
final class EncodedTotals {
  private final long[] trainBuckets = new long[DocumentEncoder.BUCKETS];
  private final long[] validationBuckets = new long[DocumentEncoder.BUCKETS];
  private long trainDocuments;
  private long validationDocuments;
  private long textBytes;

  private EncodedTotals() {}

  static EncodedTotals of(Dataset<Row> encoded, TokenType dtype) {
    EncodedTotals totals = new EncodedTotals();
    encoded
        .groupBy("validation", "bucket")
        .agg(
            sum(length(col("tokens"))).as("bytes"),
            count(lit(1)).as("documents"),
            sum("textBytes").as("textBytes"))
        .toLocalIterator()
        .forEachRemaining(row -> totals.add(row, dtype));
    return totals;
  }

  private void add(Row row, TokenType dtype) {
    boolean validation = row.getAs("validation");
    int bucket = row.getAs("bucket");
    long tokens = row.<Long>getAs("bytes") / dtype.bytes();
    long documents = row.getAs("documents");
    if (validation) {
      validationBuckets[bucket] += tokens;
      validationDocuments += documents;
    } else {
      trainBuckets[bucket] += tokens;
      trainDocuments += documents;
    }
    textBytes += row.<Long>getAs("textBytes");
  }

  /** Training tokens in each bucket, in order. */
  long[] trainBuckets() {
    return trainBuckets;
  }

  /** Validation tokens in each bucket, in order. */
  long[] validationBuckets() {
    return validationBuckets;
  }

  long documents() {
    return trainDocuments + validationDocuments;
  }

  long validationDocuments() {
    return validationDocuments;
  }

  /** UTF-8 bytes of all texts. */
  long textBytes() {
    return textBytes;
  }

  void requireTraining(String output) {
    if (trainDocuments > 0) return;
    throw new IllegalArgumentException(
        "tokenize: no document for training in "
            + output
            + ": got "
            + documents()
            + " documents, "
            + validationDocuments
            + " of them for validation; give more documents or lower"
            + " tokenize.validation-fraction");
  }
}
