package caravan.model.train;

import java.io.Serializable;

/**
 * How a graph's flat state is cut for the exchange: [parameters | updater state], each into slices
 * of its own, so that none spans both. Counts and offsets are in floats.
 *
 * @param parameters of the graph
 * @param updaterState that travels with them; 0 where it does not
 * @param sliceLength of every slice but the last of each of the two
 */
record Slicing(long parameters, long updaterState, int sliceLength) implements Serializable {
  /** A slice is held by a reducing task once per worker, in arrays of at most this many bytes. */
  private static final long MAX_REDUCER_BYTES = 256L << 20;

  private static final long MAX_SLICE_BYTES = 16L << 20;
  private static final long MIN_SLICE_BYTES = 1L << 20;

  /**
   * A slice.
   *
   * @param index among all slices
   * @param ofUpdater whether it is one of the updater state
   * @param offset of its first float, in the parameters or in the updater state
   */
  record Slice(int index, boolean ofUpdater, long offset, int length) implements Serializable {
    int bytes() {
      return length * Float.BYTES;
    }
  }

  /** Slices of which a reducing task can hold all workers'. */
  static Slicing of(long parameters, long updaterState, int workers) {
    long bytes = Math.max(MIN_SLICE_BYTES, Math.min(MAX_SLICE_BYTES, MAX_REDUCER_BYTES / workers));
    return new Slicing(parameters, updaterState, Math.toIntExact(bytes / Float.BYTES));
  }

  /** Slices of the parameters; they come first. */
  int parameterSlices() {
    return Math.toIntExact(ceilDiv(parameters, sliceLength));
  }

  int count() {
    return parameterSlices() + Math.toIntExact(ceilDiv(updaterState, sliceLength));
  }

  Slice slice(int index) {
    boolean ofUpdater = index >= parameterSlices();
    long whole = ofUpdater ? updaterState : parameters;
    long offset = (long) (ofUpdater ? index - parameterSlices() : index) * sliceLength;
    return new Slice(index, ofUpdater, offset, (int) Math.min(sliceLength, whole - offset));
  }

  private static long ceilDiv(long a, long b) {
    return (a + b - 1) / b;
  }
}
