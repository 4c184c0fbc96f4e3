package caravan.model.checkpoint;

import java.util.List;
import java.util.Map;

/** Named tensors of a file, read as floats one at a time. */
interface TensorFile extends AutoCloseable {
  /** Names the file in messages. */
  String path();

  /** Dimensions by tensor name, slowest first. */
  Map<String, List<Long>> shapes();

  /**
   * Reads a whole tensor, rows one after the other. Several threads may read different ones.
   *
   * @param target receives its elements, at {@code offset} and on
   * @throws IllegalArgumentException when one is NaN or infinite
   */
  void read(String name, WeightSink target, long offset);

  @Override
  void close();
}
