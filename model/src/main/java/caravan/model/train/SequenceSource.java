package caravan.model.train;

import java.io.Serializable;

/**
 * Fixed-length training sequences by number. It travels to the executors and reads there: the
 * driver never ships tokens. Implementations open files lazily after deserialization.
 */
public interface SequenceSource extends Serializable {
  /** Tokens per sequence. */
  int sequenceLength();

  /** Number of sequences. */
  long size();

  /**
   * Reads one sequence.
   *
   * @param index 0 ≤ index < size()
   * @param ids receives sequenceLength() ids from {@code at} on
   * @param targets receives the id each position should predict, or {@link
   *     caravan.model.engine.TokenBatch#IGNORED}; marked ({@link
   *     caravan.model.engine.TokenBatch#marked}) where a document begins that sees nothing before
   *     it
   */
  void read(long index, int[] ids, int[] targets, int at);

  /** The order in which workers visit the sequences, each its own. */
  default ReadingOrder order(long seed, int workers) {
    return SequenceOrder.of(this, seed, workers);
  }

  /** An order for one reader whose beginning is a sample of all sequences. */
  default ReadingOrder sample(long seed) {
    return new SequenceOrder(size(), seed);
  }

  /** The first sequences, for one reader; after the last one the first again. */
  default ReadingOrder first() {
    long size = size();
    return (slice, position) -> position % size;
  }
}
