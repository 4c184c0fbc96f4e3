package caravan.pipeline.tokenize;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;

import caravan.pipeline.dedup.TextKey;
import caravan.pipeline.shard.TokenManifest;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;

/**
 * Hashes of the texts that held-out inputs name, sorted: 8 bytes a text on the driver and on each
 * executor.
 */
final class HeldOutTexts implements Serializable {
  private static final long serialVersionUID = 1;

  private final long[] validation;
  private final long[] test;

  private HeldOutTexts(long[] validation, long[] test) {
    this.validation = validation;
    this.test = test;
  }

  static HeldOutTexts of(SplitInputs inputs) {
    return new HeldOutTexts(
        keys(inputs, TokenManifest.VALIDATION), keys(inputs, TokenManifest.TEST));
  }

  private static long[] keys(SplitInputs inputs, String split) {
    UDF1<String, Long> key = text -> new TextKey().of(text);
    return inputs
        .texts(split)
        .map(
            texts ->
                sorted(
                    texts
                        .select(udf(key, DataTypes.LongType).apply(col("text")))
                        .distinct()
                        .toLocalIterator()))
        .orElseGet(() -> new long[0]);
  }

  private static long[] sorted(Iterator<Row> rows) {
    long[] keys = new long[1024];
    int size = 0;
    while (rows.hasNext()) {
      if (size == keys.length) {
        keys = Arrays.copyOf(keys, Math.multiplyExact(size, 2));
      }
      keys[size++] = rows.next().getLong(0);
    }
    keys = Arrays.copyOf(keys, size);
    Arrays.sort(keys);
    return keys;
  }

  /** Whether a text of this {@link TextKey} is held out for validation. */
  boolean inValidation(long content) {
    return Arrays.binarySearch(validation, content) >= 0;
  }

  /** Whether a text of this {@link TextKey} is held out for test. */
  boolean inTest(long content) {
    return Arrays.binarySearch(test, content) >= 0;
  }
}
