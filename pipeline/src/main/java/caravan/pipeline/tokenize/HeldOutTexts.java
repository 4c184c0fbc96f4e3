package caravan.pipeline.tokenize;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import caravan.pipeline.dedup.TextKey;
import caravan.pipeline.shard.TokenManifest;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;

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
    long[] keys = new long[0];
    for (JavaRDD<DocumentIterator> documents : inputs.heldOut(split)) {
      for (long[] more : documents.mapPartitions(HeldOutTexts::keys).collect()) {
        int size = keys.length;
        keys = Arrays.copyOf(keys, Math.addExact(size, more.length));
        System.arraycopy(more, 0, keys, size, more.length);
      }
    }
    return distinct(keys, keys.length);
  }

  private static Iterator<long[]> keys(Iterator<DocumentIterator> readers) {
    Iterator<Document> documents = ChainedDocuments.of(readers);
    TextKey key = new TextKey();
    long[] keys = new long[1024];
    int size = 0;
    while (documents.hasNext()) {
      Document document = documents.next();
      if (Documents.unreadableReason(document).isPresent()) continue;
      if (size == keys.length) keys = Arrays.copyOf(keys, Math.multiplyExact(size, 2));
      keys[size++] = key.of(document.text());
    }
    return List.of(distinct(keys, size)).iterator();
  }

  private static long[] distinct(long[] keys, int size) {
    Arrays.sort(keys, 0, size);
    int kept = 0;
    for (int i = 0; i < size; i++) {
      if (kept == 0 || keys[i] != keys[kept - 1]) keys[kept++] = keys[i];
    }
    return Arrays.copyOf(keys, kept);
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
