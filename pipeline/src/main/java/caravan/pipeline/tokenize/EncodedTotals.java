package caravan.pipeline.tokenize;

import caravan.pipeline.shard.TokenManifest;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * What was encoded ({@link DocumentEncoder}), before it is written.
 *
 * @param groups sorted by split, source and language
 * @param bucketTokens tokens in each bucket of a split's order, for every split
 */
record EncodedTotals(List<Group> groups, Map<String, long[]> bucketTokens) {

  /** Documents of one split (or without one), source and language. */
  record Group(
      String split, String source, String language, long documents, long tokens, long textBytes) {
    static final Comparator<Group> ORDER =
        Comparator.comparing(Group::split)
            .thenComparing(Group::source)
            .thenComparing(Group::language);

    boolean isWritten() {
      return TokenManifest.SPLITS.contains(split);
    }
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
                documents(EncodedDocument.IN_VALIDATION) + documents(EncodedDocument.IN_TEST),
                documents(EncodedDocument.UNREADABLE) + documents(EncodedDocument.PUT_ASIDE)));
  }
}
