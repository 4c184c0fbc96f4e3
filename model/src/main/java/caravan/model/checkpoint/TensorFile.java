package caravan.model.checkpoint;

import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;

/** Named tensors of a file, read as floats one at a time. */
interface TensorFile extends AutoCloseable {
  /** Names the file in messages. */
  String path();

  /** Dimensions by tensor name, slowest first. */
  Map<String, List<Long>> shapes();

  /**
   * Reads a whole tensor, rows one after the other.
   *
   * @param target receives its elements from {@code target[offset]} on
   */
  void read(String name, FloatPointer target, long offset);

  @Override
  void close();
}
