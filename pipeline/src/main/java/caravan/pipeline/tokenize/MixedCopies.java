package caravan.pipeline.tokenize;

import caravan.pipeline.shard.TokenManifest;
import java.io.Serializable;

/**
 * How often and where an encoded document is written: training documents as often as the mixture
 * says, each copy in a place of its own; every other document once.
 *
 * @param mixture null where every document is written once
 */
record MixedCopies(Mixture mixture, long seed) implements Serializable {
  private static final int TRAIN = TokenManifest.SPLITS.indexOf(TokenManifest.TRAIN);

  /** Every document once, where it stands. */
  static final MixedCopies ONCE = new MixedCopies(null, 0);

  /** The places of the document's copies in its split's order. */
  long[] orders(EncodedDocument document) {
    if (mixture == null || document.split() != TRAIN) return new long[] {document.order()};
    String source = document.source();
    long[] orders = new long[mixture.copies(source, document.language(), document.content(), seed)];
    String id = document.id();
    for (int copy = 0; copy < orders.length; copy++) {
      orders[copy] = DocumentEncoder.place(source, id, copy, seed);
    }
    return orders;
  }
}
