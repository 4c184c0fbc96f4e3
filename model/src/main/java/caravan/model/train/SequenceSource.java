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
}
