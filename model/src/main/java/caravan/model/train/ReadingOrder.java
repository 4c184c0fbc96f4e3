package caravan.model.train;

import java.io.Serializable;

/** Which sequence of a {@link SequenceSource} each worker reads when. */
public interface ReadingOrder extends Serializable {
  /**
   * Index of a sequence.
   *
   * @param slice the worker, from 0
   * @param position of the sequence among those that this worker reads, counted over all epochs
   */
  long indexAt(int slice, long position);
}
