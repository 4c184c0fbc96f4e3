package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.length;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * What was encoded ({@link DocumentEncoder}), before it is written.
 *
 * @param groups sorted by split, source and language
 */
record EncodedTotals(List<Group> groups) {

  /** Documents of one split (or without one), source and language. */
  record Group(
      String split, String source, String language, long documents, long tokens, long textBytes) {
    boolean isWritten() {
      return TokenManifest.SPLITS.contains(split);
    }
  }

  static EncodedTotals of(Dataset<Row> encoded, TokenType dtype) {
    return new EncodedTotals(
        encoded
            .groupBy("split", "source", "language")
            .agg(
                count(lit(1)).as("documents"),
                sum(length(col("tokens"))).as("bytes"),
                sum("textBytes").as("textBytes"))
            .orderBy("split", "source", "language")
            .collectAsList()
            .stream()
            .map(
                row ->
                    new Group(
                        row.getString(0),
                        row.getString(1),
                        row.getString(2),
                        row.getLong(3),
                        row.getLong(4) / dtype.bytes(),
                        row.getLong(5)))
            .toList());
  }

  /** Tokens in each bucket, in order, for every split. */
  static Map<String, long[]> buckets(Dataset<Row> encoded, TokenType dtype) {
    Map<String, long[]> buckets = new HashMap<>();
    TokenManifest.SPLITS.forEach(split -> buckets.put(split, new long[DocumentEncoder.BUCKETS]));
    encoded
        .groupBy("split", "bucket")
        .agg(sum(length(col("tokens"))).as("bytes"))
        .toLocalIterator()
        .forEachRemaining(
            row -> buckets.get(row.getString(0))[row.getInt(1)] = row.getLong(2) / dtype.bytes());
    return buckets;
  }

  /** The groups of one split. */
  List<Group> groups(String split) {
    return groups.stream().filter(g -> g.split().equals(split)).toList();
  }

  /** Documents of a split, or of what is none. */
  long documents(String split) {
    return groups(split).stream().mapToLong(Group::documents).sum();
  }

  /** Records of any kind. */
  long records() {
    return groups.stream().mapToLong(Group::documents).sum();
  }

  /** Documents that have a split. */
  long documents() {
    return groups.stream().filter(Group::isWritten).mapToLong(Group::documents).sum();
  }

  /** UTF-8 bytes of the texts that have a split. */
  long textBytes() {
    return groups.stream().filter(Group::isWritten).mapToLong(Group::textBytes).sum();
  }

  /**
   * @throws IllegalArgumentException when nothing is left to train on
   */
  void requireTraining(String output) {
    if (documents(TokenManifest.TRAIN) > 0) return;
    throw new IllegalArgumentException(
        "tokenize: no document for training in %s: got %,d records, of them %,d for validation, %,d for test, %,d with a text that is held out, %,d unreadable; give more documents or lower tokenize.validation-fraction and tokenize.test-fraction"
            .formatted(
                output,
                records(),
                documents(TokenManifest.VALIDATION),
                documents(TokenManifest.TEST),
                documents(DocumentEncoder.IN_VALIDATION) + documents(DocumentEncoder.IN_TEST),
                documents(DocumentEncoder.UNREADABLE)));
  }
}
